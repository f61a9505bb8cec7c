node=$(kubectl -n $NS get pod -l app=shop -o jsonpath='{.items[0].spec.nodeName}')
proxy=$(kubectl -n kube-system get pod -l k8s-app=kube-proxy --field-selector=spec.nodeName=$node -o name)
kubectl -n kube-system exec $proxy -- iptables -D OUTPUT -p icmp --icmp-type fragmentation-needed -j DROP
