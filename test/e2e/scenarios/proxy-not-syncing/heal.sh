node=$(kubectl -n $NS get pod client -o jsonpath='{.spec.nodeName}')
kubectl -n kube-system delete pod -l k8s-app=kube-proxy --field-selector=spec.nodeName=$node --grace-period=1
kubectl -n kube-system rollout status ds/kube-proxy --timeout=90s
