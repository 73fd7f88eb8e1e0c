"""A real etcd and kube-apiserver on loopback, with RBAC, TLS and an audit log."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import yaml

from devstack import apiserver, etcd
from devstack.egress import EgressProxy
from devstack.pki import Authority, Pair
from devstack.state_dir import StateDir
from devstack.supervisor import Supervisor

READY_TIMEOUT = 120.0
"""Seconds, for a busy machine; an idle one needs five."""

CONTEXT = "summaryrule-devstack"


@dataclass(frozen=True, slots=True)
class ControlPlane:
    """The address of the API server and the credentials of its admin.

    `server` is `https://127.0.0.1:PORT`; `ca`, `certificate` and `key` are PEM files;
    `kubeconfig` holds the same for kubectl and helm. `audit` has one JSON event per line.
    `egress.routes` maps `clusterIP:port` to a local address for the API server's webhook calls.
    """

    server: str
    ca: Path
    certificate: Path
    key: Path
    kubeconfig: Path
    kubectl: Path
    helm: Path
    audit: Path
    egress: EgressProxy


async def start(
    supervisor: Supervisor,
    state_dir: StateDir,
    binaries: Mapping[str, Path],
    ports: Mapping[str, int],
    now: datetime,
    *,
    feature_gates: Sequence[str] = (),
) -> ControlPlane:
    """Start etcd, the egress proxy and the API server; return when `/readyz` answers 200.

    `binaries` and `ports` are keyed by process name; `now` dates the certificates; `feature_gates`
    are those of the API server. The working directory must be the state directory, because the path
    of the proxy's socket is relative.

    Raises:
        EndedEarlyError: a process ended or was not ready in time.
    """
    authority = Authority(state_dir.pki, now)
    admin = authority.client("admin", "devstack-admin", ["system:masters"])
    egress = EgressProxy(Path("egress.sock"))
    await egress.start()
    store = etcd.make_spec(state_dir, authority, binaries[etcd.NAME], ports[etcd.NAME])
    await supervisor.start_and_wait(store.spec, READY_TIMEOUT)
    server = apiserver.make_spec(
        state_dir,
        authority,
        store,
        egress,
        binary=binaries[apiserver.NAME],
        port=ports[apiserver.NAME],
        feature_gates=feature_gates,
    )
    await supervisor.start_and_wait(server, READY_TIMEOUT)
    write_kubeconfig(state_dir.kubeconfig, server.address, authority.certificate, admin)
    return ControlPlane(
        server=server.address,
        ca=authority.certificate,
        certificate=admin.certificate,
        key=admin.key,
        kubeconfig=state_dir.kubeconfig,
        kubectl=binaries["kubectl"],
        helm=binaries["helm"],
        audit=state_dir.logs / apiserver.AUDIT,
        egress=egress,
    )


def write_kubeconfig(path: Path, server: str, ca: Path, user: Pair) -> None:
    """Write a kubeconfig of `user` at `server` that needs no other file; mode 0600."""
    cluster = {"server": server, "certificate-authority-data": _base64(ca)}
    credentials = {
        "client-certificate-data": _base64(user.certificate),
        "client-key-data": _base64(user.key),
    }
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": CONTEXT,
        "contexts": [{"name": CONTEXT, "context": {"cluster": CONTEXT, "user": CONTEXT}}],
        "clusters": [{"name": CONTEXT, "cluster": cluster}],
        "users": [{"name": CONTEXT, "user": credentials}],
    }
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(document, sort_keys=False))


def _base64(pem: Path) -> str:
    return base64.b64encode(pem.read_bytes()).decode()
