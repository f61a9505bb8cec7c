node=$(kubectl -n $NS get pod -l app=shop -o jsonpath='{.items[0].spec.nodeName}')
address=$(kubectl -n $NS get pod client -o jsonpath='{.status.podIP}')
proxy=$(kubectl -n kube-system get pod -l k8s-app=kube-proxy --field-selector=spec.nodeName=$node -o name)
kubectl -n kube-system exec $proxy -- ip route del blackhole $address/32 || true
