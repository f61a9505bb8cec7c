kubectl -n kube-system replace --force -f /tmp/k8s-doctor-corefile.yaml
kubectl -n kube-system delete pod -l k8s-app=kube-dns --wait=false
sleep 1
kubectl -n kube-system rollout status deployment/coredns --timeout=90s
