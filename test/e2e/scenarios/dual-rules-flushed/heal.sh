# A kube-proxy that finds tables of its own may leave their maps as they are, so it gets none.
for proxy in $(kubectl -n kube-system get pod -l k8s-app=kube-proxy -o name); do
  for family in ip ip6; do kubectl -n kube-system exec $proxy -- nft delete table $family kube-proxy 2>/dev/null || true; done
done
kubectl -n kube-system delete pod -l k8s-app=kube-proxy --grace-period=1
kubectl -n kube-system rollout status daemonset/kube-proxy --timeout=60s
# Connections that the tables carried are lost with them, and CoreDNS notices that its watch is one of them only after up to 45 s:
# until then it denies every new Service.
kubectl -n $NS create service clusterip learned --tcp=80
for replica in $(kubectl -n kube-system get pod -l k8s-app=kube-dns -o jsonpath='{.items[*].status.podIP}'); do
  for i in $(seq 90); do
    [ -n "$(kubectl -n $NS exec client -- dig +short +time=1 +tries=1 @$replica learned.$NS.svc.cluster.local)" ] && break
    sleep 1
  done
done
