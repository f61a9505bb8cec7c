kill $(cat /tmp/k8s-doctor-balancer.pid)
rm /tmp/k8s-doctor-balancer.pid
