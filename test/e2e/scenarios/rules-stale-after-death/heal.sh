kubectl -n kube-system patch ds kube-proxy --type=json -p '[{"op":"remove","path":"/spec/template/spec/affinity"}]'
kubectl -n kube-system rollout status ds/kube-proxy --timeout=90s
