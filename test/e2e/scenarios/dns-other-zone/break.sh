kubectl -n kube-system get configmap coredns -o yaml >/tmp/k8s-doctor-coredns.yaml
kubectl -n kube-system get configmap coredns -o yaml | sed 's/kubernetes cluster.local/kubernetes corp.local/' | kubectl apply -f -
kubectl -n kube-system rollout restart deploy/coredns
kubectl -n kube-system rollout status deploy/coredns --timeout=90s
