kubectl -n $NS create quota no-more --hard=pods=3
