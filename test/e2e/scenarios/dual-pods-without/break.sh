. ../one-family.sh
ipv4_only
kubectl -n $NS delete pod -l app=shop --grace-period=0 --force
kubectl -n $NS wait deployment/shop --for=condition=Available --timeout=60s
