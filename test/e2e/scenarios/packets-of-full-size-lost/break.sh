# The link of the pod to its node has a smaller MTU than the pod's interface, and no ICMP message says so.
pod=$(kubectl -n $NS get pod -l app=shop -o jsonpath='{.items[0].metadata.name}')
node=$(kubectl -n $NS get pod $pod -o jsonpath='{.spec.nodeName}')
ip=$(kubectl -n $NS get pod $pod -o jsonpath='{.status.podIP}')
proxy=$(kubectl -n kube-system get pod -l k8s-app=kube-proxy --field-selector=spec.nodeName=$node -o name)
kubectl -n kube-system exec $proxy -- sh -c "iptables -I OUTPUT -p icmp --icmp-type fragmentation-needed -j DROP; ip link set dev \$(ip route get $ip | sed -n 's/.* dev \([^ ]*\).*/\1/p') mtu 1000"
