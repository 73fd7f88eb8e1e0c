"""A configured API client, from the pod's ServiceAccount or a kubeconfig."""

import contextlib
import os
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Final

import yaml
from kubernetes.aio.client.api_client import ApiClient
from kubernetes.aio.client.configuration import Configuration
from kubernetes.aio.config import (
    ConfigException,
    list_kube_config_contexts,
    load_incluster_config,
    load_kube_config,
)

from runtime.errors import Refused

_TOKEN: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
# NB: the client library (37.0.2) raises the last ones for a file that is not a kubeconfig.
_UNREADABLE: Final = (
    *(ConfigException, OSError, yaml.YAMLError),
    *(AttributeError, LookupError, TypeError, ValueError),
)


@contextlib.asynccontextmanager
async def connected(environ: Mapping[str, str], *, user_agent: str) -> AsyncIterator[ApiClient]:
    """An API client for the time of the block; raises as ``connect``."""
    client = await connect(environ, user_agent=user_agent)
    try:
        yield client
    finally:
        await client.close()  # type: ignore[no-untyped-call]


async def connect(environ: Mapping[str, str], *, user_agent: str) -> ApiClient:
    """An API client; close it with ``await client.close()``.

    The mounted ServiceAccount token wins, else ``KUBECONFIG`` (or ``~/.kube/config``).

    Raises:
        Refused: neither is there, or it cannot be read; the sentence says which was tried.
    """
    configuration = Configuration()
    if not _TOKEN.exists() and not _is_there(environ):
        where = environ.get("KUBECONFIG") or "~/.kube/config"
        raise Refused(
            f"no API server is configured: there is no {where}; mount a ServiceAccount token or"
            " set KUBECONFIG"
        )
    try:
        if _TOKEN.exists():
            load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
        else:
            path = str(_kubeconfig(environ))
            await load_kube_config(path, client_configuration=configuration)  # type: ignore[no-untyped-call]
    except _UNREADABLE as error:
        source = (
            "the ServiceAccount" if _TOKEN.exists() else f"the kubeconfig {_kubeconfig(environ)}"
        )
        why = " ".join(str(error).split())
        raise Refused(
            f"no API server is configured: {source} cannot be used ({why});"
            " mount a ServiceAccount token or set KUBECONFIG"
        ) from error
    client = ApiClient(configuration)
    client.user_agent = user_agent
    return client


def default_namespace(environ: Mapping[str, str]) -> str:
    """The pod's own namespace, else that of the kubeconfig's context, else ``default``."""
    own = _TOKEN.with_name("namespace")
    if own.exists():
        return own.read_text(encoding="utf-8").strip()
    try:
        _, active = list_kube_config_contexts(str(_kubeconfig(environ)))  # type: ignore[no-untyped-call]
    except _UNREADABLE:
        return "default"
    return str(active["context"].get("namespace") or "default")


def _is_there(environ: Mapping[str, str]) -> bool:
    """Whether there is a kubeconfig; KUBECONFIG may name several.

    NB: the client library (37.0.2) prints to standard output that there is none, and goes on.
    """
    return any(Path(one).exists() for one in str(_kubeconfig(environ)).split(os.pathsep))


def _kubeconfig(environ: Mapping[str, str]) -> Path:
    # NB: the client library (37.0.2) reads KUBECONFIG once, when it is imported.
    return Path(environ.get("KUBECONFIG") or "~/.kube/config").expanduser()
