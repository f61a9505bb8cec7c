kubectl -n projectcontour patch gateway.gateway.networking.k8s.io contour --type=json -p '[{"op":"test","path":"/spec/listeners/1/name","value":"https"},{"op":"remove","path":"/spec/listeners/1"}]'
