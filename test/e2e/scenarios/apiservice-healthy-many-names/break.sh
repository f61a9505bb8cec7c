. ../extension.sh
served "$(seq -f 'n%g.example' 1 9999 | paste -sd, | sed 's/,/,DNS:/g'),DNS:shop.$NS.svc"
apiservice own
kubectl wait apiservice v1.$NS.example.com --for=condition=Available --timeout=30s
