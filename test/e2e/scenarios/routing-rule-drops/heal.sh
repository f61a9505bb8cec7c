for proxy in $(kubectl -n kube-system get pod -l k8s-app=kube-proxy -o name); do kubectl -n kube-system exec $proxy -- ip rule del pref 100 2>/dev/null || true; done
