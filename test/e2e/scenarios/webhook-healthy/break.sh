. ../extension.sh
served shop.$NS.svc
webhook MutatingWebhookConfiguration own /add-label 443
