node=$(kubectl -n $NS get pod -l app=shop -o jsonpath='{.items[0].spec.nodeName}')
proxy=$(kubectl -n kube-system get pod -l k8s-app=kube-proxy --field-selector=spec.nodeName=$node -o name)
port=$(kubectl -n $NS get service shop -o jsonpath='{.spec.ports[0].nodePort}')
kubectl -n kube-system exec $proxy -- ip6tables -t raw -D PREROUTING -p tcp --dport $port -j DROP
