# Without its kubelet the node is NotReady some 50 seconds later.
kill -STOP "$(cat "${LAB:-/var/tmp/k8s-doctor-cluster}/pids/kubelet2")"
kubectl wait node/node2 --for=condition=Ready=Unknown --timeout=100s
