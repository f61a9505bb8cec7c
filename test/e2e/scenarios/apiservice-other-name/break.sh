. ../extension.sh
served shop.elsewhere.svc
apiservice own
