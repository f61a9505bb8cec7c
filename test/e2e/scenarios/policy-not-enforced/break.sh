kill -STOP $(cat ${LAB:-/var/tmp/k8s-doctor-cluster}/pids/policy-engine)
kubectl -n $NS apply -f - <<END
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: nobody-in }
spec:
  podSelector: { matchLabels: { app: shop } }
  policyTypes: [Ingress]
END
