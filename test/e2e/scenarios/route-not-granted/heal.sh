kubectl delete namespace route-other --ignore-not-found
