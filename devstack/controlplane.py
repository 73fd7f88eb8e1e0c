"""A real etcd and kube-apiserver on loopback, with RBAC, TLS and an audit log.

`start` is called by `host.py`; the `ControlPlane` it gives is what the kubelet, the chart and
the tests work with.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from devstack import apiserver, etcd, kubeconfig
from devstack.egress import Egress
from devstack.folder import Folder
from devstack.pki import Authority
from devstack.supervisor import Supervisor

READY_WITHIN = 120.0
"""Seconds, for a machine that is busy with other things; a quiet one needs five."""


@dataclass(frozen=True, slots=True)
class ControlPlane:
    """Where the API server is and how to be its admin.

    `server` is `https://127.0.0.1:PORT`; `ca`, `certificate` and `key` are PEM files;
    `kubeconfig` holds the same for kubectl and helm. `audit` has one JSON event a line.
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
    egress: Egress


async def start(
    supervisor: Supervisor,
    folder: Folder,
    binaries: Mapping[str, Path],
    ports: Mapping[str, int],
    now: datetime,
    *,
    gates: Sequence[str] = (),
) -> ControlPlane:
    """Start etcd, the egress proxy and the API server; return when `/readyz` says yes.

    `binaries` and `ports` go by the names of the processes; `now` dates the certificates; `gates`
    are the API server's feature gates. The working directory is the state folder (the proxy's
    socket has a relative path).

    Raises:
        EndedEarlyError: one of them ended or was not ready in time.
    """
    authority = Authority(folder.pki, now)
    admin = authority.client("admin", "devstack-admin", ["system:masters"])
    egress = Egress(Path("egress.sock"))
    await egress.start()
    store = etcd.order(folder, authority, binaries[etcd.NAME], ports[etcd.NAME])
    await supervisor.spawn(store.child, READY_WITHIN)
    server = apiserver.order(
        folder,
        authority,
        store,
        egress,
        binary=binaries[apiserver.NAME],
        port=ports[apiserver.NAME],
        gates=gates,
    )
    await supervisor.spawn(server, READY_WITHIN)
    kubeconfig.write(folder.kubeconfig, server.address, authority.certificate, admin)
    return ControlPlane(
        server=server.address,
        ca=authority.certificate,
        certificate=admin.certificate,
        key=admin.key,
        kubeconfig=folder.kubeconfig,
        kubectl=binaries["kubectl"],
        helm=binaries["helm"],
        audit=folder.logs / apiserver.AUDIT,
        egress=egress,
    )
