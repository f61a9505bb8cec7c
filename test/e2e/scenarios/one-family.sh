# Sourced: new pods get addresses of IPv4 only, until both_families.
configs=("${LAB:-/var/tmp/k8s-doctor-cluster}"/node*/cni/10-lab.conflist)
saved_of() { echo "/tmp/k8s-doctor-$(echo "$1" | tr / _)"; }
# The CNI plug-in of the nodes knows no range of IPv6, as on nodes that joined before the cluster had both families.
ipv4_only() {
  local conf saved
  for conf in "${configs[@]}"; do
    saved=$(saved_of "$conf")
    cp "$conf" "$saved"
    jq '.plugins[0].ipam.ranges |= map(select(.[0].subnet | contains(":") | not)) | .plugins[0].ipam.routes |= map(select(.dst | contains(":") | not))' "$saved" >"$conf"
  done
  sleep 6
}
both_families() {
  local conf saved
  for conf in "${configs[@]}"; do
    saved=$(saved_of "$conf")
    if [ -e "$saved" ]; then cat "$saved" >"$conf"; rm "$saved"; fi
  done
  sleep 6
}
