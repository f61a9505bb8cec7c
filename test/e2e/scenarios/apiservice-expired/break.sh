. ../extension.sh
served shop.$NS.svc 20260101000000Z 20260201000000Z
apiservice own
