node=$(kubectl -n $NS get pod client -o jsonpath='{.spec.nodeName}')
proxy=$(kubectl -n kube-system get pod -l k8s-app=kube-proxy --field-selector=spec.nodeName=$node -o name)
ip=$(kubectl -n $NS get service shop -o jsonpath='{.spec.clusterIP}')
kubectl -n kube-system exec -i $proxy -- nft -f - <<EOF
table ip kube-proxy {
  map service-ips {
    type ipv4_addr . inet_proto . inet_service : verdict
    elements = { $ip . tcp . 80 : goto service-OLD-shop/shop/tcp/http }
  }
  chain endpoint-OLD-shop/shop/tcp/http__10.244.9.9/8080 {
    meta l4proto tcp dnat to 10.244.9.9:8080
  }
  chain service-OLD-shop/shop/tcp/http {
    numgen random mod 1 vmap { 0 : goto endpoint-OLD-shop/shop/tcp/http__10.244.9.9/8080 }
  }
  chain services {
    ip daddr . meta l4proto . th dport vmap @service-ips
  }
  chain nat-prerouting {
    type nat hook prerouting priority dstnat; policy accept;
    jump services
  }
  chain nat-output {
    type nat hook output priority -100; policy accept;
    jump services
  }
}
EOF
