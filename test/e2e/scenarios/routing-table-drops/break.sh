kubectl -n $NS rollout status daemonset/shop --timeout=60s
node=$(kubectl -n $NS get pod client -o jsonpath='{.spec.nodeName}')
client=$(kubectl -n $NS get pod client -o jsonpath='{.status.podIP}')
address=$(kubectl -n $NS get pod -l app=shop --field-selector=spec.nodeName!=$node -o jsonpath='{.items[0].status.podIP}')
proxy=$(kubectl -n kube-system get pod -l k8s-app=kube-proxy --field-selector=spec.nodeName=$node -o name)
# The first table has no route to the pods, so the kernel asks the next one.
kubectl -n kube-system exec $proxy -- ip route add 192.0.2.0/24 dev lo table 101
kubectl -n kube-system exec $proxy -- ip rule add lookup 101 pref 90
kubectl -n kube-system exec $proxy -- ip route add unreachable $address table 102
kubectl -n kube-system exec $proxy -- ip rule add from $client lookup 102 pref 100
