kubectl create namespace route-other
kubectl -n route-other apply -f other.yaml
kubectl -n route-other wait deployment/shop --for=condition=Available --timeout=60s
