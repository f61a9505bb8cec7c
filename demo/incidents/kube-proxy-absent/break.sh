kubectl -n kube-system patch ds kube-proxy -p '{"spec":{"template":{"spec":{"nodeSelector":{"none":"none"}}}}}'
kubectl -n kube-system wait --for=delete pod -l k8s-app=kube-proxy --timeout=60s
kubectl -n $NS expose deploy/frontend-web --port=80 --target-port=8080
