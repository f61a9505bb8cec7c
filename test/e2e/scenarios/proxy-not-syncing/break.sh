node=$(kubectl -n $NS get pod client -o jsonpath='{.spec.nodeName}')
proxy=$(kubectl -n kube-system get pod -l k8s-app=kube-proxy --field-selector=spec.nodeName=$node -o name)
# What kube-proxy calls to write rules now fails, and says why.
kubectl -n kube-system exec $proxy -- sh -c 'f=$(command -v iptables-restore); busybox rm -f $f; printf "#!/bin/sh\necho iptables-restore: unable to initialize table nat >&2\nexit 3\n" >$f; busybox chmod +x $f'
kubectl -n $NS delete service shop
kubectl -n $NS expose deploy/shop --port=80 --target-port=8080
