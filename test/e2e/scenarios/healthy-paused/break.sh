# A Deployment may stay paused while its pods serve.
kubectl -n "$NS" rollout pause deployment/shop
kubectl -n "$NS" set image deployment/shop web=registry.k8s.io/e2e-test-images/agnhost:no-such-tag
