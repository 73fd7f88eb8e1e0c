"""The servers that the webhook is compared with; each is started as ``python -m … PORT CERTS``."""
