# What provides load balancers gives it an address: of this machine itself, so that no packet leaves it.
kubectl -n $NS patch service shop --subresource=status --type=merge -p '{"status":{"loadBalancer":{"ingress":[{"ip":"127.0.0.9"}]}}}'
cd $(mktemp -d)
nohup python3 -m http.server --bind 127.0.0.9 18080 >/dev/null 2>&1 </dev/null &
echo $! >/tmp/k8s-doctor-balancer.pid
