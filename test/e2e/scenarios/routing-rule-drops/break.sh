kubectl -n $NS rollout status daemonset/shop --timeout=60s
node=$(kubectl -n $NS get pod client -o jsonpath='{.spec.nodeName}')
address=$(kubectl -n $NS get pod -l app=shop --field-selector=spec.nodeName!=$node -o jsonpath='{.items[0].status.podIP}')
proxy=$(kubectl -n kube-system get pod -l k8s-app=kube-proxy --field-selector=spec.nodeName=$node -o name)
kubectl -n kube-system exec $proxy -- ip rule add to $address blackhole pref 100
