node=$(kubectl -n $NS get pod client -o jsonpath='{.spec.nodeName}')
kubectl label nodes --all --overwrite example.com/proxy=yes
kubectl label node $node example.com/proxy-
kubectl -n kube-system patch ds kube-proxy --type=merge -p '{"spec":{"template":{"spec":{"nodeSelector":{"example.com/proxy":"yes"}}}}}'
kubectl -n kube-system rollout status ds/kube-proxy --timeout=90s
kubectl -n $NS expose deploy/shop --port=80 --target-port=8080
