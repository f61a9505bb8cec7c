for conf in "${LAB:-/var/tmp/k8s-doctor-cluster}"/node*/cni/10-lab.conflist; do
  saved=/tmp/k8s-doctor-$(echo $conf | tr / _)
  if [ -e $saved ]; then cat $saved >$conf; rm $saved; fi
done
sleep 6
