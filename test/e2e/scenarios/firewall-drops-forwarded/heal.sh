for proxy in $(kubectl -n kube-system get pod -l k8s-app=kube-proxy -o name); do kubectl -n kube-system exec $proxy -- iptables -P FORWARD ACCEPT; done
