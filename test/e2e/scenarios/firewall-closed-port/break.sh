kubectl -n $NS rollout status daemonset/shop --timeout=60s
node=$(kubectl -n $NS get pod client -o jsonpath='{.spec.nodeName}')
other=$(kubectl -n $NS get pod -l app=shop --field-selector=spec.nodeName!=$node -o jsonpath='{.items[0].spec.nodeName}')
proxy=$(kubectl -n kube-system get pod -l k8s-app=kube-proxy --field-selector=spec.nodeName=$other -o name)
kubectl -n kube-system exec $proxy -- iptables -I INPUT ! -i lo -p tcp --dport 18080 -j DROP
