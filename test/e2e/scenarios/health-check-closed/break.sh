# What provides load balancers gives it an address: of this machine itself, so that no packet leaves it.
kubectl -n $NS patch service shop --subresource=status --type=merge -p '{"status":{"loadBalancer":{"ingress":[{"ip":"127.0.0.9"}]}}}'
node=$(kubectl -n $NS get pod -l app=shop -o jsonpath='{.items[0].spec.nodeName}')
proxy=$(kubectl -n kube-system get pod -l k8s-app=kube-proxy --field-selector=spec.nodeName=$node -o name)
port=$(kubectl -n $NS get service shop -o jsonpath='{.spec.healthCheckNodePort}')
kubectl -n kube-system exec $proxy -- iptables -t raw -I PREROUTING -p tcp --dport $port -j DROP
