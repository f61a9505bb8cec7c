kubectl delete crd adminnetworkpolicies.policy.networking.k8s.io
