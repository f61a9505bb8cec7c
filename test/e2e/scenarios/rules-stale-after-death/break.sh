node=$(kubectl -n $NS get pod client -o jsonpath='{.spec.nodeName}')
kubectl -n kube-system patch ds kube-proxy -p "{\"spec\":{\"template\":{\"spec\":{\"affinity\":{\"nodeAffinity\":{\"requiredDuringSchedulingIgnoredDuringExecution\":{\"nodeSelectorTerms\":[{\"matchExpressions\":[{\"key\":\"kubernetes.io/hostname\",\"operator\":\"NotIn\",\"values\":[\"$node\"]}]}]}}}}}}}"
kubectl -n kube-system rollout status ds/kube-proxy --timeout=90s
kubectl -n $NS rollout restart deployment/shop
kubectl -n $NS rollout status deployment/shop --timeout=60s
