kubectl -n $NS rollout status daemonset/shop --timeout=60s
node=$(kubectl -n $NS get pod client -o jsonpath='{.spec.nodeName}')
proxy=$(kubectl -n kube-system get pod -l k8s-app=kube-proxy --field-selector=spec.nodeName=$node -o name)
kubectl -n kube-system exec $proxy -- sh -c 'echo 0 >/proc/sys/net/ipv4/ip_forward'
