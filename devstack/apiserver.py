"""The process specification of kube-apiserver: RBAC, TLS, ServiceAccount tokens, audit log, egress.

Admission plugins are the server's defaults, as on a cluster.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from devstack.egress import EgressProxy
from devstack.etcd import Etcd
from devstack.pki import Authority, client_tls_context, write_key, write_public_key
from devstack.ports import HOST
from devstack.process_spec import ProcessSpec, http_health
from devstack.state_dir import StateDir

NAME = "kube-apiserver"
AUDIT = "audit.jsonl"
ISSUER = "https://kubernetes.default.svc.cluster.local"
SERVICES = "10.96.0.0/16"
FIRST_SERVICE = "10.96.0.1"
ADVERTISE_ADDRESS = "192.0.2.1"
"""From RFC 5737. NB: 1.37 refuses to advertise a loopback address and searches the network for
another. The endpoint reconciler is off, so nothing reads this address."""

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


def make_spec(
    state_dir: StateDir,
    authority: Authority,
    etcd: Etcd,
    egress: EgressProxy,
    *,
    binary: Path,
    port: int,
    feature_gates: Sequence[str] = (),
) -> ProcessSpec:
    """Return the specification; the server listens on `port` and keeps its data in `etcd`.

    A feature gate is written as `WatchList=false`.
    """
    url = f"https://{HOST}:{port}"
    options = {
        **_etcd_options(authority, etcd),
        **_identity_options(state_dir, authority),
        "bind-address": HOST,
        "secure-port": port,
        "advertise-address": ADVERTISE_ADDRESS,
        "endpoint-reconciler-type": "none",
        "service-cluster-ip-range": SERVICES,
        "authorization-mode": "RBAC",
        "allow-privileged": "true",
        "profiling": "false",
        "audit-policy-file": _write_yaml(state_dir.root / "audit-policy.yaml", AUDIT_POLICY),
        "audit-log-path": state_dir.logs / AUDIT,
        "audit-log-maxsize": 256,
        "audit-log-maxbackup": 1,
        "egress-selector-config-file": _write_yaml(
            state_dir.root / "egress.yaml", _egress_selector(egress)
        ),
        **({"feature-gates": ",".join(feature_gates)} if feature_gates else {}),
    }
    return ProcessSpec(
        name=NAME,
        argv=[str(binary), *(f"--{name}={value}" for name, value in options.items())],
        log=state_dir.log(NAME),
        address=url,
        cwd=state_dir.root,
        health=http_health(f"{url}/readyz", context=client_tls_context(authority.certificate)),
        grace=0.5,  # its data is removed anyway, and an orderly stop takes seconds
    )


def _etcd_options(authority: Authority, etcd: Etcd) -> dict[str, object]:
    return {
        "etcd-servers": etcd.spec.address,
        "etcd-cafile": authority.certificate,
        "etcd-certfile": etcd.client.certificate,
        "etcd-keyfile": etcd.client.key,
    }


def _identity_options(state_dir: StateDir, authority: Authority) -> dict[str, object]:
    names = ["kubernetes.default.svc", "kubernetes.default", "localhost", HOST, FIRST_SERVICE]
    serving = authority.server(NAME, names)
    signing, public = state_dir.pki / "tokens.key", state_dir.pki / "tokens.pub"
    write_public_key(public, write_key(signing))
    return {
        "tls-cert-file": serving.certificate,
        "tls-private-key-file": serving.key,
        "client-ca-file": authority.certificate,
        "service-account-issuer": ISSUER,
        "service-account-signing-key-file": signing,
        "service-account-key-file": public,
    }


def _egress_selector(egress: EgressProxy) -> dict[str, object]:
    cluster = {
        "proxyProtocol": "HTTPConnect",
        "transport": {"uds": {"udsName": str(egress.socket)}},
    }
    return {
        "apiVersion": "apiserver.k8s.io/v1beta1",
        "kind": "EgressSelectorConfiguration",
        "egressSelections": [{"name": "cluster", "connection": cluster}],
    }


def _write_yaml(path: Path, document: Mapping[str, object]) -> Path:
    path.write_text(yaml.safe_dump(dict(document), sort_keys=False))
    return path
