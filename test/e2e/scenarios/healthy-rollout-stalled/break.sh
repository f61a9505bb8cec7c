kubectl -n "$NS" set image deployment/shop web=registry.k8s.io/e2e-test-images/agnhost:no-such-tag
