# What provides load balancers gives it an address: of this machine itself, so that no packet leaves it.
kubectl -n $NS patch service shop --subresource=status --type=merge -p '{"status":{"loadBalancer":{"ingress":[{"ip":"127.0.0.9"}]}}}'
