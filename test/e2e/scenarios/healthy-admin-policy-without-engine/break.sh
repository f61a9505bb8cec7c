kubectl apply -f - <<END
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: adminnetworkpolicies.policy.networking.k8s.io
  annotations: { api-approved.kubernetes.io: "https://github.com/kubernetes-sigs/network-policy-api/pull/30" }
spec:
  group: policy.networking.k8s.io
  scope: Cluster
  names: { kind: AdminNetworkPolicy, plural: adminnetworkpolicies, singular: adminnetworkpolicy }
  versions:
    - name: v1alpha1
      served: true
      storage: true
      schema: { openAPIV3Schema: { type: object, x-kubernetes-preserve-unknown-fields: true } }
END
kubectl wait --for=condition=Established crd/adminnetworkpolicies.policy.networking.k8s.io --timeout=30s
kubectl apply -f - <<END
apiVersion: policy.networking.k8s.io/v1alpha1
kind: AdminNetworkPolicy
metadata: { name: keep-out }
spec:
  priority: 10
  subject: { namespaces: { matchLabels: { kubernetes.io/metadata.name: $NS } } }
  ingress: [{ name: nobody, action: Deny, from: [{ namespaces: {} }] }]
END
