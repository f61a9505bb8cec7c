# For scenarios about what the API server calls: certificates, the program, and a way from the control plane to the addresses of Services.

# The control plane of the test cluster runs no kube-proxy, so it gets a route through a node that does.
way_to_services() {
  nsenter --net="/run/netns/${PREFIX:-kd}-cp" ip route replace 10.96.0.0/16 via 10.77.0.11
}

# ca FILE: a CA of its own.
ca() {
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 365 -subj "/CN=$1" -keyout "$work/$1.key" -out "$work/$1.crt" 2>/dev/null
}

# certificate CA NAME [FROM TO]: the program's certificate, in the Secret that its pods mount; by default it is valid now.
certificate() {
  by=$1 for=$2 from=${3:-} to=${4:-}
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=program" -keyout "$work/tls.key" -out "$work/tls.csr" 2>/dev/null
  printf 'subjectAltName=DNS:%s\nextendedKeyUsage=serverAuth\n' "$for" >"$work/ext"
  printf '[ca]\ndefault_ca=d\n[d]\ndatabase=%s/index\nnew_certs_dir=%s\nrand_serial=yes\ndefault_md=sha256\npolicy=p\n[p]\ncommonName=supplied\n' "$work" "$work" >"$work/ca.cnf"
  : >"$work/index"
  openssl ca -batch -notext -config "$work/ca.cnf" -cert "$work/$by.crt" -keyfile "$work/$by.key" -in "$work/tls.csr" -extfile "$work/ext" \
    ${from:+-startdate "$from"} ${to:+-enddate "$to"} -days 30 -out "$work/tls.crt" 2>/dev/null
  kubectl -n "$NS" create secret tls program-tls --cert="$work/tls.crt" --key="$work/tls.key"
}

bundle() { base64 -w0 <"$work/$1.crt"; }

# webhook KIND CA PATH PORT POLICY: for ConfigMaps of this namespace only.
webhook() {
  cat <<END | kubectl apply -f -
apiVersion: admissionregistration.k8s.io/v1
kind: $1
metadata: {name: $NS}
webhooks:
  - name: shop.example.com
    clientConfig:
      service: {namespace: $NS, name: shop, path: $3, port: $4}
      caBundle: $(bundle "$2")
    rules: [{operations: [CREATE], apiGroups: [""], apiVersions: [v1], resources: [configmaps]}]
    namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: $NS}}
    failurePolicy: ${5:-Fail}
    timeoutSeconds: 3
    sideEffects: None
    admissionReviewVersions: [v1]
END
}

# apiservice CA: the API v1 of a group of its own, by the Service of this namespace.
apiservice() {
  cat <<END | kubectl apply -f -
apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata: {name: v1.$NS.example.com}
spec:
  group: $NS.example.com
  version: v1
  groupPriorityMinimum: 100
  versionPriority: 100
  service: {namespace: $NS, name: shop, port: 443}
  caBundle: $(bundle "$1")
END
}

# served NAME [FROM TO]: a program that is ready, with a certificate for NAME by the CA `own`, and a way to its Service.
served() {
  way_to_services
  ca own
  certificate own "$@"
  kubectl -n "$NS" rollout status deployment/shop --timeout=60s
}

removed() {
  kubectl delete validatingwebhookconfiguration,mutatingwebhookconfiguration "$NS" --ignore-not-found
  kubectl delete apiservice "v1.$NS.example.com" --ignore-not-found
  nsenter --net="/run/netns/${PREFIX:-kd}-cp" ip route del 10.96.0.0/16 2>/dev/null || true
}

work=$(mktemp -d)
