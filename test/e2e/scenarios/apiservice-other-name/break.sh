. ../extension.sh
way_to_services
ca own
certificate own shop.elsewhere.svc
program_is_ready
apiservice own
