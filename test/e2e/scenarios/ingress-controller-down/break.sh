kubectl -n projectcontour patch daemonset envoy --type=merge -p '{"spec":{"template":{"spec":{"nodeSelector":{"no-such-node":"true"}}}}}'
kubectl -n projectcontour wait pod -l app=envoy --for=delete --timeout=60s
