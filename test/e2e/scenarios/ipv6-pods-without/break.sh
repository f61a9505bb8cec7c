# The CNI plug-in of the nodes knows no range of IPv6, as on nodes that joined before the cluster had both families.
for conf in "${LAB:-/var/tmp/k8s-doctor-cluster}"/node*/cni/10-lab.conflist; do
  cp $conf /tmp/k8s-doctor-$(echo $conf | tr / _)
  jq '.plugins[0].ipam.ranges |= map(select(.[0].subnet | contains(":") | not)) | .plugins[0].ipam.routes |= map(select(.dst | contains(":") | not))' /tmp/k8s-doctor-$(echo $conf | tr / _) >$conf
done
sleep 6
kubectl -n $NS delete pod -l app=shop --grace-period=0 --force
kubectl -n $NS wait deployment/shop --for=condition=Available --timeout=60s
