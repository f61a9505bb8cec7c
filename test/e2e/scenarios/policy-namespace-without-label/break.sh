kubectl create namespace $NS-clients
kubectl -n $NS-clients apply -f - <<END
apiVersion: v1
kind: Pod
metadata: { name: client, labels: { app: client } }
spec:
  terminationGracePeriodSeconds: 0
  containers:
    - { name: c, image: "docker.io/nicolaka/netshoot:v0.15", command: [sleep, "100000"] }
END
kubectl -n $NS-clients wait pod/client --for=condition=Ready --timeout=60s
