. ../extension.sh
way_to_services
ca own
certificate own shop.$NS.svc
program_is_ready
webhook MutatingWebhookConfiguration own /add-label 443
