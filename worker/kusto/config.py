"""The Kusto endpoints of the command line, and the worker's login to Azure."""

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit
from urllib.request import getproxies, proxy_bypass

from runtime.errors import Refused

_SECRET: Final = ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET")
_WORKLOAD: Final = ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_FEDERATED_TOKEN_FILE")
_INGESTION: Final = "ingest-"
_MANAGED: Final = ("IDENTITY_ENDPOINT", "MSI_ENDPOINT", "AZURE_CLIENT_ID")


def choose_kind(kind: str, environ: Mapping[str, str]) -> str:
    """The kind of credential that ``auto`` means: the first one that the environment has.

    azure-identity's DefaultAzureCredential is not used: it tries one source after another at run
    time, so the identity of a pod would depend on which of them is down.
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


@dataclass(frozen=True, slots=True)
class Login:
    """Who the worker is to Azure, and what to configure if that gives no token."""

    identity: str
    remedy: str


def login_of(kind: str, environ: Mapping[str, str]) -> Login:
    """The login of this kind, with its client and tenant; never a secret."""
    chosen = choose_kind(kind, environ)
    client = environ.get("AZURE_CLIENT_ID")
    tenant = environ.get("AZURE_TENANT_ID")
    named = (("client", client), ("tenant", tenant))
    who = ", ".join(f"{name} {value}" for name, value in named if value)
    return Login(f"{chosen} ({who})" if who else chosen, _REMEDIES.get(chosen, _REMEDIES[""]))


_REMEDIES: Final = {
    "workload-identity": "check the chart value workloadIdentity.clientId, and the identity's"
    " federated credential: its issuer, and the worker's ServiceAccount as subject",
    "client-secret": "check the tenant, client and secret in the Secret of the chart value"
    " kusto.clientSecret.existingSecret",
    "managed-identity": "check that the node has this managed identity; better set the chart values"
    " workloadIdentity.enabled and workloadIdentity.clientId",
    "": "no identity is configured: set the chart values workloadIdentity.enabled and"
    " workloadIdentity.clientId, or kusto.clientSecret; on a laptop run az login",
}


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
    """Refuse to send a token to a host that is not a Kusto endpoint of the token's cloud.

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


class InvalidEndpointError(ValueError):
    """A ``--kusto-endpoint`` that cannot be used; the message says what to write."""


def parse_endpoints(options: Iterable[str], *, allow_plain_http: bool = False) -> dict[str, str]:
    """URL by database, trailing slash removed.

    Plain http carries the queries and the token in the clear, so it is for loopback only, unless
    ``allow_plain_http`` says that something else protects the connection (a mesh, a test network).

    Raises:
        InvalidEndpointError: no ``DB=URL``, a database twice, or a URL that is no endpoint.
    """
    endpoints: dict[str, str] = {}
    for option in options:
        database, separator, url = option.partition("=")
        if not separator or not database.strip():
            raise InvalidEndpointError(
                f"--kusto-endpoint {option!r} must read DB=URL, as in "
                "Telemetry=https://help.kusto.windows.net"
            )
        if database in endpoints:
            raise InvalidEndpointError(f"--kusto-endpoint names the database {database!r} twice")
        endpoints[database] = _checked(option, url, allow_plain_http=allow_plain_http)
    return endpoints


def is_loopback(url: str) -> bool:
    """Whether the URL's host is this machine, judged by its text alone."""
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def proxy_for(url: str) -> str | None:
    """The proxy for an endpoint: ``HTTPS_PROXY`` or ``HTTP_PROXY``, unless ``NO_PROXY`` names it.

    The names and their forms are those of ``urllib.request``. A loopback endpoint has no proxy.
    """
    parts = urlsplit(url)
    if is_loopback(url) or proxy_bypass(parts.hostname or ""):
        return None
    return getproxies().get(parts.scheme)


def _checked(option: str, url: str, *, allow_plain_http: bool) -> str:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise InvalidEndpointError(f"--kusto-endpoint {option!r}: {error}") from error
    _refuse_extras(parts)
    if parts.scheme not in {"https", "http"} or not parts.hostname:
        raise InvalidEndpointError(f"--kusto-endpoint {option!r} needs an https:// URL with a host")
    if (parts.hostname or "").startswith(_INGESTION):
        raise InvalidEndpointError(
            f"--kusto-endpoint {option!r} is an ingestion endpoint, which runs no queries; write"
            f" the query endpoint, {option.replace(f'://{_INGESTION}', '://', 1)}"
        )
    if parts.scheme == "http" and not (allow_plain_http or is_loopback(url)):
        raise InvalidEndpointError(
            f"--kusto-endpoint {option!r} is plain http to another machine; use https:// "
            "(or --allow-plain-http where something else protects the way)"
        )
    return url.rstrip("/")


def _refuse_extras(parts: SplitResult) -> None:
    """Raise without quoting the option: it may contain a password."""
    if parts.username or parts.password:
        raise InvalidEndpointError(
            "--kusto-endpoint must not carry a user or password; credentials come from the "
            "environment (see --kusto-credential)"
        )
    if parts.query or parts.fragment or ";" in parts.netloc + parts.path:
        raise InvalidEndpointError(
            "--kusto-endpoint takes the endpoint's URL alone, not a connection string"
        )
