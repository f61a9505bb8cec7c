kubectl -n kube-system get configmap kube-proxy -o yaml | sed 's/^\( *mode:\).*/\1 iptables/' | kubectl apply -f -
for pod in $(kubectl -n kube-system get pods -l k8s-app=kube-proxy -o name); do
  for family in ip ip6; do kubectl -n kube-system exec $pod -- nft delete table $family kube-proxy; done
done
kubectl -n kube-system delete pod -l k8s-app=kube-proxy --grace-period=1
kubectl -n kube-system rollout status ds/kube-proxy --timeout=90s
