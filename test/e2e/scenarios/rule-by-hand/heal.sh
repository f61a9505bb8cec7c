# A fix may have removed it by then.
node=$(kubectl -n $NS get pod client -o jsonpath='{.spec.nodeName}')
proxy=$(kubectl -n kube-system get pod -l k8s-app=kube-proxy --field-selector=spec.nodeName=$node -o name)
ip=$(kubectl -n $NS get service shop -o jsonpath='{.spec.clusterIP}')
kubectl -n kube-system exec $proxy -- iptables -t nat -D PREROUTING -d $ip -p tcp --dport 80 -j DNAT --to-destination 10.244.9.9:8080 || true
