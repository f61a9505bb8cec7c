node=$(kubectl -n $NS get pod client -o jsonpath='{.spec.nodeName}')
proxy=$(kubectl -n kube-system get pod -l k8s-app=kube-proxy --field-selector=spec.nodeName=$node -o name)
address=$(kubectl -n $NS get pod -l app=shop -o jsonpath='{.items[0].status.podIPs[1].ip}')
kubectl -n kube-system exec $proxy -- ip -6 route add blackhole $address/128
