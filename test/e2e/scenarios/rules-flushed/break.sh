node=$(kubectl -n $NS get pod client -o jsonpath='{.spec.nodeName}')
proxy=$(kubectl -n kube-system get pod -l k8s-app=kube-proxy --field-selector=spec.nodeName=$node -o name)
address=$(kubectl -n $NS get service shop -o jsonpath='{.spec.clusterIP}')
sleep 3
kubectl -n kube-system exec $proxy -- sh -c "iptables-save -t nat | grep -- '-A KUBE-SERVICES -d $address/32' | sed 's/^-A/-D/' | while read -r rule; do echo \"\$rule\" | xargs iptables -t nat; done" || kubectl -n kube-system exec $proxy -- iptables -t nat -F KUBE-SERVICES
