for address in $(kubectl -n $NS get pod -l app=shop -o jsonpath='{.items[*].status.podIP}'); do
  for proxy in $(kubectl -n kube-system get pod -l k8s-app=kube-proxy -o name); do kubectl -n kube-system exec $proxy -- iptables -D FORWARD -d $address -p tcp -j REJECT 2>/dev/null || true; done
done
