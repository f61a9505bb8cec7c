kubectl delete namespace $NS --wait=false
kubectl -n $NS wait pod -l app=shop --for=delete --timeout=60s
