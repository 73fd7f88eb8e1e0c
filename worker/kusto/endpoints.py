"""Which endpoint serves which database, as ``--kusto-endpoint DB=URL`` says. Called by the edge."""

import ipaddress
from collections.abc import Iterable
from urllib.parse import SplitResult, urlsplit


class InvalidEndpointError(ValueError):
    """A ``--kusto-endpoint`` that cannot be used; the message says what to write."""


def parse_endpoints(options: Iterable[str], *, allow_plain_http: bool = False) -> dict[str, str]:
    """URL by database, trailing slash removed.

    Plain http carries the queries and the token in the clear, so it is for loopback only, unless
    ``allow_plain_http`` says that something else protects the way (a mesh, a test network).

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


def _checked(option: str, url: str, *, allow_plain_http: bool) -> str:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise InvalidEndpointError(f"--kusto-endpoint {option!r}: {error}") from error
    _refuse_extras(parts)
    if parts.scheme not in {"https", "http"} or not parts.hostname:
        raise InvalidEndpointError(f"--kusto-endpoint {option!r} needs an https:// URL with a host")
    if parts.scheme == "http" and not (allow_plain_http or is_loopback(url)):
        raise InvalidEndpointError(
            f"--kusto-endpoint {option!r} is plain http to another machine; use https:// "
            "(or --allow-plain-http where something else protects the way)"
        )
    return url.rstrip("/")


def _refuse_extras(parts: SplitResult) -> None:
    """Without quoting the option: what stands here may be a password."""
    if parts.username or parts.password:
        raise InvalidEndpointError(
            "--kusto-endpoint must not carry a user or password; credentials come from the "
            "environment (see --kusto-credential)"
        )
    if parts.query or parts.fragment or ";" in parts.netloc + parts.path:
        raise InvalidEndpointError(
            "--kusto-endpoint takes the endpoint's URL alone, not a connection string"
        )
