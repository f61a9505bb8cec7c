# A fix may have removed it by then.
node=$(kubectl -n $NS get pod client -o jsonpath='{.spec.nodeName}')
proxy=$(kubectl -n kube-system get pod -l k8s-app=kube-proxy --field-selector=spec.nodeName=$node -o name)
kubectl -n kube-system exec $proxy -- nft delete table ip kube-proxy || true
