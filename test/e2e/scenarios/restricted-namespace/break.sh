kubectl label namespace $NS pod-security.kubernetes.io/enforce=restricted
