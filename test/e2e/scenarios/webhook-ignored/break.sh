. ../extension.sh
ca other
served shop.$NS.svc
webhook ValidatingWebhookConfiguration other /always-deny 443 Ignore
