for proxy in $(kubectl -n kube-system get pod -l k8s-app=kube-proxy -o name); do
  for address in $(kubectl -n $NS get pod -l app=shop -o jsonpath='{.items[*].status.podIPs[1].ip}'); do kubectl -n kube-system exec $proxy -- ip -6 route del blackhole $address/128 2>/dev/null || true; done
done
