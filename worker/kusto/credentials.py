"""How the worker proves who it is to Azure. Wired in ``worker.__main__``."""

from collections.abc import Mapping
from typing import Any, Final

from worker.errors import Refused

KINDS: Final = ("auto", "workload-identity", "managed-identity", "client-secret", "az-login")
_SECRET: Final = ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET")
_WORKLOAD: Final = ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_FEDERATED_TOKEN_FILE")
_MANAGED: Final = ("IDENTITY_ENDPOINT", "MSI_ENDPOINT", "AZURE_CLIENT_ID")


def choose_kind(kind: str, environ: Mapping[str, str]) -> str:
    """What ``auto`` comes to: the first of the list that the environment speaks of.

    azure-identity's DefaultAzureCredential is not used: it tries one source after another at run
    time, so what a pod runs as would depend on which of them is down.
    """
    if kind != "auto":
        return kind
    if environ.get("AZURE_FEDERATED_TOKEN_FILE"):
        return "workload-identity"
    if environ.get("AZURE_CLIENT_SECRET"):
        return "client-secret"
    if any(environ.get(name) for name in _MANAGED):
        return "managed-identity"
    return "az-login"


def create_credential(kind: str, environ: Mapping[str, str]) -> Any:  # noqa: ANN401 - azure's protocol
    """An asynchronous azure-identity credential of this kind; close it with ``await close()``.

    Raises:
        Refused: the environment lacks what this kind needs; the sentence names the variables,
            never their values.
    """
    # Imported here: only an https endpoint needs them, and they cost a quarter second.
    from azure.identity import aio  # noqa: PLC0415

    chosen = choose_kind(kind, environ)
    if chosen == "workload-identity":
        _require(chosen, _WORKLOAD, environ)
        tenant, client, token_file = (environ[name] for name in _WORKLOAD)
        return aio.WorkloadIdentityCredential(
            tenant_id=tenant, client_id=client, token_file_path=token_file
        )
    if chosen == "client-secret":
        _require(chosen, _SECRET, environ)
        return aio.ClientSecretCredential(*(environ[name] for name in _SECRET))
    if chosen == "managed-identity":
        return aio.ManagedIdentityCredential(client_id=environ.get("AZURE_CLIENT_ID"))
    return aio.AzureCliCredential()


def require_trusted(url: str, environ: Mapping[str, str]) -> None:
    """Refuse to send a token to a host that is no Kusto of the cloud it comes from.

    The client checks this only with its own credential providers, which are not used here.

    Raises:
        Refused: Microsoft's list of Kusto's host names, which the client carries, lacks it.
    """
    from azure.kusto.data.exceptions import (  # noqa: PLC0415
        KustoClientInvalidConnectionStringException,
    )
    from azure.kusto.data.kusto_trusted_endpoints import (  # noqa: PLC0415
        well_known_kusto_endpoints,
    )

    authority = environ.get("AZURE_AUTHORITY_HOST") or "https://login.microsoftonline.com"
    login = authority if "://" in authority else f"https://{authority}"
    try:
        well_known_kusto_endpoints.validate_trusted_endpoint(url, login.rstrip("/"))
    except KustoClientInvalidConnectionStringException as error:
        raise Refused(f"{url} is no Kusto endpoint that a token of {login} may go to") from error


def _require(kind: str, names: tuple[str, ...], environ: Mapping[str, str]) -> None:
    missing = [name for name in names if not environ.get(name)]
    if missing:
        raise Refused(f"--kusto-credential {kind} needs {', '.join(missing)} in the environment")
