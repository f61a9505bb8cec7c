kubectl -n $NS patch service shop --type=merge -p '{"metadata":{"finalizers":null}}'
