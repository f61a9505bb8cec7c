kubectl -n $NS create deployment shop --image=registry.k8s.io/e2e-test-images/agnhost:2.57 --replicas=2 -- /agnhost netexec --http-port=8080
