"""A configured API client, from the pod's ServiceAccount or a kubeconfig. Wired in ``__main__``."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from kubernetes.aio.client.api_client import ApiClient
from kubernetes.aio.client.configuration import Configuration
from kubernetes.aio.config import ConfigException, load_incluster_config, load_kube_config

from worker.errors import Refused

_TOKEN: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")


async def connect(environ: Mapping[str, str], *, user_agent: str) -> ApiClient:
    """An API client; close it with ``await client.close()``.

    The mounted ServiceAccount token wins, else ``KUBECONFIG`` (or ``~/.kube/config``).

    Raises:
        Refused: neither is there, or it cannot be read; the sentence says which was tried.
    """
    configuration = Configuration()
    try:
        if _TOKEN.exists():
            load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
        else:
            path = str(_kubeconfig(environ))
            await load_kube_config(path, client_configuration=configuration)  # type: ignore[no-untyped-call]
    except (ConfigException, OSError) as error:
        raise Refused(
            f"no API server is configured ({error}); mount a ServiceAccount token or set KUBECONFIG"
        ) from error
    client = ApiClient(configuration)
    client.user_agent = user_agent
    return client


def _kubeconfig(environ: Mapping[str, str]) -> Path:
    # NB: the client library (37.0.2) reads KUBECONFIG once, when it is imported.
    return Path(environ.get("KUBECONFIG") or "~/.kube/config").expanduser()
