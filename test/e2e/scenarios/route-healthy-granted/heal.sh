kubectl delete namespace route-granted --ignore-not-found
