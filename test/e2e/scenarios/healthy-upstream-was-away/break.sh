# What CoreDNS forwards is dropped while it is asked, and passes again before the diagnosis.
proxies=$(kubectl -n kube-system get pod -l k8s-app=kube-proxy -o name)
for p in $proxies; do for proto in udp tcp; do kubectl -n kube-system exec $p -- iptables -I FORWARD -d 10.77.0.0/24 -p $proto --dport 53 -j DROP; done; done
for server in $(kubectl -n kube-system get pod -l k8s-app=kube-dns -o jsonpath='{.items[*].status.podIP}'); do kubectl -n $NS exec client -- dig +tries=1 +time=8 @$server . NS || true; done
for p in $proxies; do for proto in udp tcp; do kubectl -n kube-system exec $p -- iptables -D FORWARD -d 10.77.0.0/24 -p $proto --dport 53 -j DROP; done; done
