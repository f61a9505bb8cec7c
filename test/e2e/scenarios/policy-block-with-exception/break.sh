ip=$(kubectl -n $NS get pod client -o jsonpath='{.status.podIP}')
kubectl -n $NS apply -f - <<END
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: pods-but-one }
spec:
  podSelector: { matchLabels: { app: shop } }
  ingress: [{ from: [{ ipBlock: { cidr: 10.244.0.0/16, except: [$ip/32] } }] }]
END
