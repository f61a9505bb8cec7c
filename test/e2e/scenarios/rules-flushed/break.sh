# Something on the node (a firewall manager, say) flushes kube-proxy's rules again and again.
node=$(kubectl -n $NS get pod client -o jsonpath='{.spec.nodeName}')
proxy=$(kubectl -n kube-system get pod -l k8s-app=kube-proxy --field-selector=spec.nodeName=$node -o name)
kubectl -n kube-system exec $proxy -- sh -c 'while :; do nft flush chain ip nat KUBE-SERVICES; sleep 0.005; done' >/dev/null 2>&1 </dev/null &
sleep 2
