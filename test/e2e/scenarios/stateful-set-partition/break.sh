# The probe asked another port.
kubectl -n "$NS" patch statefulset shop --type=json -p '[{"op":"replace","path":"/spec/template/spec/containers/0/readinessProbe/httpGet/port","value":8080}]'
