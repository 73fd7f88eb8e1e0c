"""The process specification of etcd: one member, TLS with client certificates, no fsync.

The data of a devstack is removed with it, so losing data in a power cut is acceptable. Without
fsync a start is seconds faster on a slow disk.
"""

from dataclasses import dataclass
from pathlib import Path

from devstack.pki import Authority, Pair, client_tls_context
from devstack.ports import HOST
from devstack.process_spec import ProcessSpec, http_health
from devstack.state_dir import StateDir

NAME = "etcd"


@dataclass(frozen=True, slots=True)
class Etcd:
    """The specification of etcd, and the certificate pair that its client uses."""

    spec: ProcessSpec
    client: Pair


def make_spec(state_dir: StateDir, authority: Authority, binary: Path, port: int) -> Etcd:
    """Return the specification; etcd listens on `port` for clients that `authority` has signed."""
    # NB: etcd's JSON gateway (3.7) calls its own server with the serving pair.
    server = authority.server("etcd", [HOST], is_client=True)
    client = authority.client("etcd-client", "kube-apiserver")
    url = f"https://{HOST}:{port}"
    peer = f"http://{HOST}:0"
    options = {
        "data-dir": state_dir.root / "etcd",
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
    context = client_tls_context(authority.certificate, client)
    spec = ProcessSpec(
        name=NAME,
        argv=[str(binary), *(f"--{name}={value}" for name, value in options.items())],
        log=state_dir.log(NAME),
        address=url,
        cwd=state_dir.root,
        health=http_health(f"{url}/health", context=context),
        grace=1.0,
    )
    return Etcd(spec, client)
