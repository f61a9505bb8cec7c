kubectl -n kube-system get configmap coredns -o yaml > /tmp/k8s-doctor-corefile.yaml
kubectl -n kube-system get configmap coredns -o yaml | sed 's/forward \. /forwrad . /' | kubectl replace -f -
kubectl -n kube-system delete pod -l k8s-app=kube-dns --grace-period=0 --force
sleep 8
