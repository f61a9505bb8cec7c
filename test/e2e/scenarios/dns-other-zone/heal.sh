kubectl -n kube-system get configmap coredns -o yaml | sed 's/kubernetes corp.local/kubernetes cluster.local/' | kubectl apply -f -
kubectl -n kube-system rollout restart deploy/coredns
kubectl -n kube-system rollout status deploy/coredns --timeout=90s
rm -f /tmp/k8s-doctor-coredns.yaml
