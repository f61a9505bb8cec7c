# The Deployment was available for a while before the bad rollout.
sleep 6
kubectl -n $NS patch deployment shop --type=json -p '[{"op":"replace","path":"/spec/template/spec/containers/0/args","value":["netexec","--no-such-flag"]}]'
