"""The order for kube-apiserver: RBAC, TLS, ServiceAccount tokens, an audit log, egress.

Called by `controlplane.py`. Admission plugins are the server's defaults, as on a cluster.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from devstack.child import Child
from devstack.egress import Egress
from devstack.etcd import Store
from devstack.folder import Folder
from devstack.pki import Authority, write_key, write_public_key
from devstack.ports import HOST
from devstack.probes import answers, mutual

NAME = "kube-apiserver"
AUDIT = "audit.jsonl"
ISSUER = "https://kubernetes.default.svc.cluster.local"
SERVICES = "10.96.0.0/16"
FIRST_SERVICE = "10.96.0.1"
NOWHERE = "192.0.2.1"
"""RFC 5737. NB: 1.37 refuses a loopback address to advertise and searches the machine's network
for another; with the endpoint reconciler off, nobody reads the one it gets."""

AUDIT_POLICY: Mapping[str, Any] = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "omitManagedFields": False,
    "rules": [
        {"level": "None", "nonResourceURLs": ["/readyz*", "/livez*", "/healthz*"]},
        {"level": "None", "users": ["system:apiserver"]},
        {
            "level": "RequestResponse",
            "verbs": ["create", "update", "patch", "delete"],
            "resources": [{"group": "adx-mon.azure.com"}],
        },
        {"level": "Metadata"},
    ],
}


def order(
    folder: Folder,
    authority: Authority,
    store: Store,
    egress: Egress,
    *,
    binary: Path,
    port: int,
    gates: Sequence[str] = (),
) -> Child:
    """Give the API server's order; it listens on `port` and keeps its data in `store`.

    `gates` are its feature gates, such as `WatchList=false`.
    """
    url = f"https://{HOST}:{port}"
    options = {
        **_etcd(authority, store),
        **_identity(folder, authority),
        "bind-address": HOST,
        "secure-port": port,
        "advertise-address": NOWHERE,
        "endpoint-reconciler-type": "none",
        "service-cluster-ip-range": SERVICES,
        "authorization-mode": "RBAC",
        "allow-privileged": "true",
        "profiling": "false",
        "audit-policy-file": _write(folder.root / "audit-policy.yaml", AUDIT_POLICY),
        "audit-log-path": folder.logs / AUDIT,
        "audit-log-maxsize": 256,
        "audit-log-maxbackup": 1,
        "egress-selector-config-file": _write(folder.root / "egress.yaml", _selector(egress)),
        **({"feature-gates": ",".join(gates)} if gates else {}),
    }
    return Child(
        name=NAME,
        argv=[str(binary), *(f"--{name}={value}" for name, value in options.items())],
        log=folder.log(NAME),
        address=url,
        cwd=folder.root,
        health=answers(f"{url}/readyz", context=mutual(authority.certificate)),
        grace=0.5,  # its data ends with it, and an orderly stop takes seconds,
    )


def _etcd(authority: Authority, store: Store) -> dict[str, object]:
    return {
        "etcd-servers": store.child.address,
        "etcd-cafile": authority.certificate,
        "etcd-certfile": store.client.certificate,
        "etcd-keyfile": store.client.key,
    }


def _identity(folder: Folder, authority: Authority) -> dict[str, object]:
    names = ["kubernetes.default.svc", "kubernetes.default", "localhost", HOST, FIRST_SERVICE]
    serving = authority.server(NAME, names)
    signing, public = folder.pki / "tokens.key", folder.pki / "tokens.pub"
    write_public_key(public, write_key(signing))
    return {
        "tls-cert-file": serving.certificate,
        "tls-private-key-file": serving.key,
        "client-ca-file": authority.certificate,
        "service-account-issuer": ISSUER,
        "service-account-signing-key-file": signing,
        "service-account-key-file": public,
    }


def _selector(egress: Egress) -> dict[str, object]:
    cluster = {
        "proxyProtocol": "HTTPConnect",
        "transport": {"uds": {"udsName": str(egress.socket)}},
    }
    return {
        "apiVersion": "apiserver.k8s.io/v1beta1",
        "kind": "EgressSelectorConfiguration",
        "egressSelections": [{"name": "cluster", "connection": cluster}],
    }


def _write(path: Path, document: Mapping[str, object]) -> Path:
    path.write_text(yaml.safe_dump(dict(document), sort_keys=False))
    return path
