# The pod's node drops what is longer than 1,000 bytes, and says nothing.
node=$(kubectl -n $NS get pod -l app=shop -o jsonpath='{.items[0].spec.nodeName}')
address=$(kubectl -n $NS get pod -l app=shop -o jsonpath='{.items[0].status.podIPs[1].ip}')
proxy=$(kubectl -n kube-system get pod -l k8s-app=kube-proxy --field-selector=spec.nodeName=$node -o name)
kubectl -n kube-system exec $proxy -- ip6tables -t raw -I PREROUTING -d $address -m length --length 1000:65535 -j DROP
