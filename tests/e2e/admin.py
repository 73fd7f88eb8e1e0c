"""A connection to an API server as its admin, for requests too frequent for kubectl."""

import ssl
from base64 import b64decode
from pathlib import Path

import yaml

from webhook.certificates.pki import KeyPair
from webhook.certificates.tls import load_pair


def admin_connection(kubeconfig: Path) -> tuple[str, ssl.SSLContext]:
    """Return the API server's URL and a TLS context with the kubeconfig's user."""
    config = yaml.safe_load(kubeconfig.read_text())
    cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    authority = b64decode(cluster["certificate-authority-data"]).decode()
    context = ssl.create_default_context(cadata=authority)
    chain, key = (b64decode(user[f"client-{name}-data"]) for name in ("certificate", "key"))
    load_pair(context, KeyPair(chain, key))
    return cluster["server"], context
