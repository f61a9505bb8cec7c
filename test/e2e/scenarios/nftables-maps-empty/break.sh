kubectl -n kube-system get configmap kube-proxy -o yaml | sed 's/^\( *mode:\).*/\1 nftables/' | kubectl apply -f -
kubectl -n kube-system delete pod -l k8s-app=kube-proxy --grace-period=1
kubectl -n kube-system rollout status ds/kube-proxy --timeout=90s
sleep 3
kubectl -n kube-system delete pod -l k8s-app=kube-proxy --grace-period=1
kubectl -n kube-system rollout status ds/kube-proxy --timeout=90s
