kubectl -n kube-system create configmap coredns --from-file=Corefile=/tmp/k8s-doctor-corefile --dry-run=client -o yaml | kubectl apply -f -
kubectl -n kube-system rollout restart deploy/coredns
kubectl -n kube-system rollout status deploy/coredns --timeout=90s
rm -f /tmp/k8s-doctor-corefile /tmp/k8s-doctor-corefile-broken
