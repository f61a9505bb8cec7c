. ../extension.sh
way_to_services
ca own
certificate own shop.$NS.svc 20260101000000Z 20260201000000Z
program_is_ready
apiservice own
