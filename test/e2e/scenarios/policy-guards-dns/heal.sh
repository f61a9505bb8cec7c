kubectl -n kube-system delete networkpolicy dns-for-us-only
