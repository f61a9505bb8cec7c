# A pod that sees the node's processes stops kube-proxy there, without ending it.
node=$(kubectl -n $NS get pod client -o jsonpath='{.spec.nodeName}')
proxy=$(kubectl -n kube-system get pod -l k8s-app=kube-proxy --field-selector=spec.nodeName=$node -o name)
id=$(kubectl -n kube-system get $proxy -o jsonpath='{.status.containerStatuses[0].containerID}' | sed 's|.*/||')
kubectl -n $NS apply -f - <<EOF
apiVersion: v1
kind: Pod
metadata: {name: stopper}
spec:
  nodeName: $node
  hostPID: true
  restartPolicy: Never
  containers:
    - name: c
      image: docker.io/nicolaka/netshoot:v0.15
      command: [sh, -c, "for d in /proc/[0-9]*; do if grep -q $id \$d/cgroup && grep -qa '[k]ube-proxy' \$d/cmdline; then kill -STOP \${d#/proc/}; fi; done"]
      securityContext: {privileged: true}
EOF
kubectl -n $NS wait pod/stopper --for=jsonpath={.status.phase}=Succeeded --timeout=30s
kubectl -n $NS rollout restart deployment/shop
kubectl -n $NS rollout status deployment/shop --timeout=60s
