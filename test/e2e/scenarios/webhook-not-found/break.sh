. ../extension.sh
ca own
webhook ValidatingWebhookConfiguration own /always-deny 443 Ignore
