kubectl -n projectcontour patch daemonset envoy --type=json -p '[{"op":"remove","path":"/spec/template/spec/nodeSelector/no-such-node"}]'
kubectl -n projectcontour rollout status daemonset envoy --timeout=90s
kubectl delete ingressclass contour --ignore-not-found
