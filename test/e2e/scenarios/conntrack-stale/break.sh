node=$(kubectl -n $NS get pod client -o jsonpath='{.spec.nodeName}')
proxy=$(kubectl -n kube-system get pod -l k8s-app=kube-proxy --field-selector=spec.nodeName=$node -o name)
ip=$(kubectl -n $NS get service shop -o jsonpath='{.spec.clusterIP}')
me=$(kubectl -n $NS get pod client -o jsonpath='{.status.podIP}')
kubectl -n kube-system exec $proxy -- conntrack -I -p udp -s $me -d $ip --sport 40000 --dport 81 -r 10.244.9.9 -q $me --reply-port-src 8081 --reply-port-dst 40000 -t 120 -u SEEN_REPLY
