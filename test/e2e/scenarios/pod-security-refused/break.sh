kubectl label namespace $NS pod-security.kubernetes.io/enforce=restricted
kubectl -n $NS create deployment shop --image=registry.k8s.io/e2e-test-images/agnhost:2.57 -- /agnhost netexec --http-port=8080
