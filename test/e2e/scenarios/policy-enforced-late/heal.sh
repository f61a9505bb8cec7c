kill -CONT $(cat ${LAB:-/var/tmp/k8s-doctor-cluster}/pids/policy-engine)
