. ../extension.sh
way_to_services
ca own
certificate own shop.$NS.svc
program_is_ready
apiservice own
kubectl wait apiservice v1.$NS.example.com --for=condition=Available --timeout=30s
