# The image is corrected after the Deployment was paused, so nothing happens.
kubectl -n "$NS" rollout pause deployment/shop
kubectl -n "$NS" set image deployment/shop web=registry.k8s.io/e2e-test-images/agnhost:2.57
