kubectl -n kube-system get configmap coredns -o jsonpath='{.data.Corefile}' >/tmp/k8s-doctor-corefile
sed '/kubernetes cluster.local/,/^ *}/d' /tmp/k8s-doctor-corefile >/tmp/k8s-doctor-corefile-broken
kubectl -n kube-system create configmap coredns --from-file=Corefile=/tmp/k8s-doctor-corefile-broken --dry-run=client -o yaml | kubectl apply -f -
kubectl -n kube-system rollout restart deploy/coredns
kubectl -n kube-system rollout status deploy/coredns --timeout=90s
