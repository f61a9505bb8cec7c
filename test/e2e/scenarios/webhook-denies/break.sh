. ../extension.sh
served shop.$NS.svc
webhook ValidatingWebhookConfiguration own /always-deny 443
