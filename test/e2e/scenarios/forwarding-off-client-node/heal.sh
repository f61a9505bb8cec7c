for proxy in $(kubectl -n kube-system get pod -l k8s-app=kube-proxy -o name); do kubectl -n kube-system exec $proxy -- sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'; done
