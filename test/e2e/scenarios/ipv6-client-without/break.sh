. ../one-family.sh
ipv4_only
kubectl -n $NS get pod client -o yaml > /tmp/k8s-doctor-client.yaml
kubectl -n $NS replace --force --grace-period=0 -f /tmp/k8s-doctor-client.yaml
kubectl -n $NS wait pod/client --for=condition=Ready --timeout=60s
