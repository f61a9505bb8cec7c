kubectl delete namespace $NS-clients --wait=false
