"""Connects to the Kusto endpoints of a command or of the worker."""

import contextlib
from collections.abc import AsyncIterator, Mapping

from runtime.errors import Observe, ignore
from worker.kusto.client import EndpointClient
from worker.kusto.config import create_credential, is_loopback, login_of, require_trusted
from worker.kusto.requests import KustoRequests
from worker.ports import Clock


@contextlib.asynccontextmanager
async def connect_kusto(
    endpoints: Mapping[str, str],
    credential_kind: str,
    environ: Mapping[str, str],
    clock: Clock,
    observe: Observe = ignore,
) -> AsyncIterator[KustoRequests]:
    """One client per endpoint; endpoints on loopback get no credential.

    Args:
        endpoints: the URL of each database's endpoint.
        credential_kind: as ``--kusto-credential``.
        environ: the environment, which configures the credential.
        clock: for time limits and back-off.
        observe: gets each call.

    Raises:
        ValueError: an endpoint or the credential cannot be used; the message says what to write.
    """
    urls = set(endpoints.values())
    remote = [url for url in urls if not is_loopback(url)]
    credential = create_credential(credential_kind, environ) if remote else None
    login = login_of(credential_kind, environ)
    for url in remote:
        require_trusted(url, environ)
    clients = {
        url: EndpointClient(
            url,
            clock,
            database=next(name for name, each in endpoints.items() if each == url),
            credential=credential if url in remote else None,
            login=login if url in remote else None,
            observe=observe,
        )
        for url in urls
    }
    commands = KustoRequests({name: clients[url] for name, url in endpoints.items()})
    try:
        yield commands
    finally:
        await commands.close()
        if credential is not None:
            await credential.close()
