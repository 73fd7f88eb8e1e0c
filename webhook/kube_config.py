"""The address of the API server and the credentials for it.

The mounted ServiceAccount if there is one, else KUBECONFIG (or ``~/.kube/config``), as in every
Kubernetes tool. The token is read for each call, since the kubelet replaces it.
"""

import os
import ssl
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from webhook.certificates.pki import KeyPair
from webhook.certificates.tls import load_pair
from webhook.errors import ClusterError

MOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_ENTRIES: Final = {"contexts": "context", "clusters": "cluster", "users": "user"}


@dataclass(frozen=True, slots=True)
class Credentials:
    """An address (``context`` is None for plain HTTP) and a token, if any."""

    host: str
    port: int
    context: ssl.SSLContext | None
    server_name: str | None = None
    token: str = ""
    token_file: Path | None = None

    def authorization(self) -> str:
        """Return the value of the ``Authorization`` header for the next call; may be empty.

        Raises:
            ClusterError: when the token file cannot be read.
        """
        if self.token_file is None:
            return f"Bearer {self.token}" if self.token else ""
        try:
            return f"Bearer {self.token_file.read_text('ascii').strip()}"
        except OSError as error:
            raise ClusterError(f"the token cannot be read: {error}") from error


def find_credentials(
    environment: Mapping[str, str] = os.environ, mount: Path = MOUNT
) -> Credentials:
    """Find credentials.

    Raises:
        ClusterError: when there are none that can be used.
    """
    if (mount / "token").exists() and "KUBERNETES_SERVICE_HOST" in environment:
        return _mounted(environment, mount)
    import yaml  # noqa: PLC0415 - in a cluster there is no kubeconfig, and YAML costs 20 ms

    path = Path(environment.get("KUBECONFIG") or Path.home() / ".kube" / "config")
    try:
        return _from_kubeconfig(yaml.safe_load(path.read_text("utf-8")), path.parent)
    except OSError as error:
        raise ClusterError(
            f"no ServiceAccount is mounted and no KUBECONFIG read: {error}"
        ) from error
    except (yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        raise ClusterError(f"{path} is no kubeconfig that can be used: {error!r}") from error


def _mounted(environment: Mapping[str, str], mount: Path) -> Credentials:
    return Credentials(
        host=environment["KUBERNETES_SERVICE_HOST"],
        port=int(environment.get("KUBERNETES_SERVICE_PORT", "443")),
        context=ssl.create_default_context(cafile=str(mount / "ca.crt")),
        token_file=mount / "token",
    )


def _from_kubeconfig(config: Mapping[str, Any], folder: Path) -> Credentials:
    context = _named(config, "contexts", config["current-context"])
    cluster = _named(config, "clusters", context["cluster"])
    user = _named(config, "users", context["user"])
    if "exec" in user or "auth-provider" in user:
        raise ValueError("its user signs in by a plugin; use a token or a client certificate")
    address = urlsplit(cluster["server"])
    token_file = user.get("tokenFile")
    return Credentials(
        host=str(address.hostname),
        port=address.port or (443 if address.scheme == "https" else 80),
        context=_context(cluster, user, folder) if address.scheme == "https" else None,
        server_name=cluster.get("tls-server-name"),
        token=user.get("token", ""),
        token_file=folder / token_file if token_file else None,
    )


def _named(config: Mapping[str, Any], plural: str, name: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] | None = next(
        (each[_ENTRIES[plural]] for each in config[plural] if each["name"] == name), None
    )
    if found is None:
        raise ValueError(f"it has no {plural} entry {name!r}")
    return found


def _context(cluster: Mapping[str, Any], user: Mapping[str, Any], folder: Path) -> ssl.SSLContext:
    authority = _data(cluster, "certificate-authority", folder)
    context = ssl.create_default_context(cadata=authority.decode("ascii") if authority else None)
    if cluster.get("insecure-skip-tls-verify"):
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    chain, key = (_data(user, f"client-{what}", folder) for what in ("certificate", "key"))
    if chain and key:
        load_pair(context, KeyPair(chain, key))
    return context


def _data(holder: Mapping[str, Any], key: str, folder: Path) -> bytes:
    """Return a kubeconfig value: inline (``…-data``, base64) or a file relative to the folder."""
    if f"{key}-data" in holder:
        return b64decode(holder[f"{key}-data"])
    return (folder / holder[key]).read_bytes() if key in holder else b""
