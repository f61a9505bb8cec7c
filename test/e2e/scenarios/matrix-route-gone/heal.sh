node=$(kubectl -n $NS get pod client -o jsonpath='{.spec.nodeName}')
proxy=$(kubectl -n kube-system get pod -l k8s-app=kube-proxy --field-selector=spec.nodeName=$node -o name)
for address in $(kubectl -n $NS get pod -l app=shop -o jsonpath='{.items[*].status.podIP}'); do kubectl -n kube-system exec $proxy -- ip route del blackhole $address/32 || true; done
