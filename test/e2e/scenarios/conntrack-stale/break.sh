node=$(kubectl -n $NS get pod client -o jsonpath='{.spec.nodeName}')
proxy=$(kubectl -n kube-system get pod -l k8s-app=kube-proxy --field-selector=spec.nodeName=$node -o name)
ip=$(kubectl -n $NS get service shop -o jsonpath='{.spec.clusterIP}')
me=$(kubectl -n $NS get pod client -o jsonpath='{.status.podIP}')
# kube-proxy removes such entries when it syncs: this one is to come after the sync that the new endpoints cause.
for attempt in 1 2 3 4 5; do
  kubectl -n kube-system exec $proxy -- conntrack -I -p udp -s $me -d $ip --sport 40000 --dport 81 -r 10.244.9.9 -q $me --reply-port-src 8081 --reply-port-dst 40000 -t 120 -u SEEN_REPLY
  sleep 2
  if kubectl -n kube-system exec $proxy -- conntrack -L -p udp -s $me -d $ip | grep -q 10.244.9.9; then exit 0; fi
done
echo "kube-proxy removed the entry each time" >&2
exit 1
