"""Writes a kubeconfig that needs no other file.

Called by `controlplane.py` for the admin.
"""

import base64
from pathlib import Path

import yaml

from devstack.pki import Pair

NAME = "summaryrule-devstack"


def write(path: Path, server: str, ca: Path, user: Pair) -> None:
    """Write the kubeconfig of `user` at `server`, readable by this user alone."""
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": NAME,
        "contexts": [{"name": NAME, "context": {"cluster": NAME, "user": NAME}}],
        "clusters": [
            {"name": NAME, "cluster": {"server": server, "certificate-authority-data": _text(ca)}}
        ],
        "users": [
            {
                "name": NAME,
                "user": {
                    "client-certificate-data": _text(user.certificate),
                    "client-key-data": _text(user.key),
                },
            }
        ],
    }
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(document, sort_keys=False))


def _text(pem: Path) -> str:
    return base64.b64encode(pem.read_bytes()).decode()
