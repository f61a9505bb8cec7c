. ../extension.sh
served shop.$NS.svc
apiservice own
kubectl wait apiservice v1.$NS.example.com --for=condition=Available --timeout=30s
