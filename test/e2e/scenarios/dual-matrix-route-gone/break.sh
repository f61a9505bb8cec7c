node=$(kubectl -n $NS get pod client -o jsonpath='{.spec.nodeName}')
from=$(kubectl get nodes -o name | grep -v "/$node$" | tail -1 | cut -d/ -f2)
to=$(kubectl -n $NS get pod -l app=shop -o jsonpath="{range .items[*]}{.spec.nodeName} {.status.podIPs[1].ip}{'\n'}{end}" | grep -v "^$from " | head -1 | cut -d' ' -f2)
proxy=$(kubectl -n kube-system get pod -l k8s-app=kube-proxy --field-selector=spec.nodeName=$from -o name)
kubectl -n kube-system exec $proxy -- ip -6 route add blackhole $to/128
