kubectl -n kube-system patch ds kube-proxy --type=merge -p '{"spec":{"template":{"spec":{"nodeSelector":{"example.com/proxy":null}}}}}'
kubectl label nodes --all example.com/proxy-
kubectl -n kube-system rollout status ds/kube-proxy --timeout=90s
