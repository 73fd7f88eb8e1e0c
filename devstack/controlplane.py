"""A real etcd and kube-apiserver on loopback, with RBAC, TLS and an audit log.

`start` is called by `host.py`; the `ControlPlane` it gives is what the kubelet, the chart and
the tests work with.
"""

from dataclasses import dataclass
from pathlib import Path

from devstack.egress import Egress


@dataclass(frozen=True, slots=True)
class ControlPlane:
    """Where the API server is and how to be its admin.

    `server` is `https://127.0.0.1:PORT`; `ca`, `certificate` and `key` are PEM files;
    `kubeconfig` holds the same for kubectl and helm. `egress.routes` maps `clusterIP:port` to a
    local address for the API server's webhook calls.
    """

    server: str
    ca: Path
    certificate: Path
    key: Path
    kubeconfig: Path
    kubectl: Path
    helm: Path
    audit: Path
    egress: Egress
