kubectl -n kube-system get configmap coredns -o yaml | sed 's#forward . 10.244.1.249#forward . /etc/resolv.conf#' | kubectl apply -f -
kubectl -n kube-system rollout restart deploy/coredns
kubectl -n kube-system rollout status deploy/coredns --timeout=90s
