kill -CONT "$(cat "${LAB:-/var/tmp/k8s-doctor-cluster}/pids/kubelet2")"
kubectl wait node/node2 --for=condition=Ready --timeout=60s
kubectl -n kube-system rollout status daemonset/kube-proxy --timeout=60s
