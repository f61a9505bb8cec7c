address=$(kubectl -n $NS get pod -l app=shop -o jsonpath='{.items[0].status.podIP}')
kubectl -n $NS apply -f - <<EOF
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: shop-by-hand, labels: {kubernetes.io/service-name: shop}}
addressType: IPv4
ports: [{name: web, port: 8080, protocol: TCP}]
endpoints: [{addresses: ["$address"]}]
EOF
