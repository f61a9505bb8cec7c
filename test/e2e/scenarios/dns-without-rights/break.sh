kubectl delete clusterrolebinding system:coredns
kubectl -n kube-system delete pod -l k8s-app=kube-dns --grace-period=0 --force
sleep 8
