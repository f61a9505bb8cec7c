kubectl -n kube-system apply -f - <<END
apiVersion: v1
kind: ConfigMap
metadata: { name: coredns-odd }
data:
  Corefile: |
    .:53 {
        errors
        ready
        template ANY ANY {
            rcode NXDOMAIN
        }
    }
---
apiVersion: v1
kind: Pod
metadata: { name: coredns-odd, labels: { k8s-app: kube-dns } }
spec:
  terminationGracePeriodSeconds: 0
  containers:
    - name: coredns
      image: registry.k8s.io/coredns/coredns:v1.14.7
      args: ["-conf", "/etc/coredns/Corefile"]
      ports: [{ containerPort: 53, name: dns, protocol: UDP }, { containerPort: 53, name: dns-tcp, protocol: TCP }]
      readinessProbe: { httpGet: { path: /ready, port: 8181 }, periodSeconds: 1 }
      volumeMounts: [{ name: config, mountPath: /etc/coredns }]
  volumes: [{ name: config, configMap: { name: coredns-odd } }]
END
kubectl -n kube-system wait pod/coredns-odd --for=condition=Ready --timeout=60s
