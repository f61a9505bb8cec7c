for proxy in $(kubectl -n kube-system get pod -l k8s-app=kube-proxy -o name); do
  for pref in 90 100; do kubectl -n kube-system exec $proxy -- ip rule del pref $pref 2>/dev/null || true; done
  for table in 101 102; do kubectl -n kube-system exec $proxy -- ip route flush table $table 2>/dev/null || true; done
done
