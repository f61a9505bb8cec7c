# The controller waits for the broken pod, although the template is right now.
kubectl -n "$NS" set image statefulset/shop web=registry.k8s.io/e2e-test-images/agnhost:2.57
