kubectl -n kube-system apply -f - <<END
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: dns-for-us-only }
spec:
  podSelector: { matchLabels: { k8s-app: kube-dns } }
  ingress: [{ from: [{ podSelector: {} }] }]
END
