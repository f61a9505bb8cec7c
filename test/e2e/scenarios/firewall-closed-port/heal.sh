for proxy in $(kubectl -n kube-system get pod -l k8s-app=kube-proxy -o name); do kubectl -n kube-system exec $proxy -- iptables -D INPUT ! -i lo -p tcp --dport 18080 -j DROP 2>/dev/null || true; done
