. ../extension.sh
way_to_services
ca own
ca other
certificate own shop.$NS.svc
program_is_ready
webhook ValidatingWebhookConfiguration other /always-deny 443 Ignore
