"""The order for etcd: one member, TLS with client certificates, no fsync.

Called by `controlplane.py`. The data of a devstack dies with it, so a lost power cord may lose
it too; leaving fsync out spares seconds on a slow disk.
"""

from dataclasses import dataclass
from pathlib import Path

from devstack.child import Child
from devstack.folder import Folder
from devstack.pki import Authority, Pair
from devstack.ports import HOST
from devstack.probes import answers, mutual

NAME = "etcd"


@dataclass(frozen=True, slots=True)
class Store:
    """etcd's child, and the pair with which the API server is its client."""

    child: Child
    client: Pair


def order(folder: Folder, authority: Authority, binary: Path, port: int) -> Store:
    """Give etcd's order; it listens on `port` for clients that the authority has signed."""
    # NB: etcd's JSON gateway (3.7) calls its own server with the serving pair.
    server = authority.server("etcd", [HOST], is_client=True)
    client = authority.client("etcd-client", "kube-apiserver")
    url = f"https://{HOST}:{port}"
    peer = f"http://{HOST}:0"
    options = {
        "data-dir": folder.root / "etcd",
        "unsafe-no-fsync": "true",
        "listen-client-urls": url,
        "advertise-client-urls": url,
        "listen-peer-urls": peer,
        "initial-advertise-peer-urls": peer,
        "initial-cluster": f"default={peer}",
        "client-cert-auth": "true",
        "trusted-ca-file": authority.certificate,
        "cert-file": server.certificate,
        "key-file": server.key,
    }
    context = mutual(authority.certificate, client)
    child = Child(
        name=NAME,
        argv=[str(binary), *(f"--{name}={value}" for name, value in options.items())],
        log=folder.log(NAME),
        address=url,
        cwd=folder.root,
        health=answers(f"{url}/health", context=context),
        grace=1.0,
    )
    return Store(child, client)
