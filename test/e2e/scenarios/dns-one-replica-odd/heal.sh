kubectl -n kube-system delete pod/coredns-odd configmap/coredns-odd
