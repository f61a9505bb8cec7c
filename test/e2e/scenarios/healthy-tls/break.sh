# The pods wait for a certificate of their own, so that no key is kept in the repository.
folder=$(mktemp -d)
openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj "/CN=shop.$NS.svc" -keyout "$folder/tls.key" -out "$folder/tls.crt" 2>/dev/null
kubectl -n "$NS" create configmap tls --from-file="$folder/tls.key" --from-file="$folder/tls.crt"
rm -r "$folder"
kubectl -n "$NS" wait deployment/shop --for=condition=Available --timeout=60s
