. ../extension.sh
way_to_services
ca own
certificate own shop.$NS.svc
program_is_ready
webhook ValidatingWebhookConfiguration own /always-deny 8443
