# A pod that sees the node's processes stops the program of one pod, without ending it.
pod=$(kubectl -n $NS get pod -l app=shop -o jsonpath='{.items[0].metadata.name}')
node=$(kubectl -n $NS get pod $pod -o jsonpath='{.spec.nodeName}')
ip=$(kubectl -n $NS get pod $pod -o jsonpath='{.status.podIP}')
kubectl -n $NS apply -f - <<END
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
      command: [sh, -c, "for d in /proc/[0-9]*; do if grep -qa netexec \$d/cmdline && grep -qa -- '-- $ip$' \$d/net/fib_trie; then kill -STOP \${d#/proc/}; fi; done"]
      securityContext: {privileged: true}
END
kubectl -n $NS wait pod/stopper --for=jsonpath={.status.phase}=Succeeded --timeout=30s
