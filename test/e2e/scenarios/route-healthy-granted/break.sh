kubectl create namespace route-granted
kubectl -n route-granted apply -f ../route-not-granted/other.yaml -f grant.yaml
kubectl -n route-granted wait deployment/shop --for=condition=Available --timeout=60s
