node=$(kubectl -n $NS get pod client -o jsonpath='{.spec.nodeName}')
proxy=$(kubectl -n kube-system get pod -l k8s-app=kube-proxy --field-selector=spec.nodeName=$node -o name)
kubectl -n kube-system exec $proxy -- sh -c 'while :; do ip6tables -t nat -F KUBE-SERVICES 2>/dev/null; nft flush map ip6 kube-proxy service-ips 2>/dev/null; sleep 0.02; done' >/dev/null 2>&1 </dev/null &
sleep 2
