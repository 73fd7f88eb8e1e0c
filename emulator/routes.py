"""What each path answers, and what `PUT /faults` makes a Kusto path answer instead."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from emulator import faults as fault_page
from emulator.endpoint import Endpoint
from emulator.errors import Broken, Refusal, Throttled, Transport
from emulator.frames import Table, v1, v2
from emulator.intake import Call, request_of
from emulator.services import Request


@dataclass(frozen=True)
class Reply:
    """Status, body, and headers beside the usual ones."""

    status: int
    body: bytes
    headers: tuple[tuple[bytes, bytes], ...] = ()
    kind: bytes = b"application/json; charset=utf-8"


class LostConnection(Exception):  # noqa: N818 - an event, not an error of ours
    """The connection is to be cut with no reply, because a fault asks for it."""


def refused(refusal: Refusal, activity: UUID, moment: datetime) -> Reply:
    """The reply that official clients turn into KustoApiError or KustoThrottlingError."""
    headers: tuple[tuple[bytes, bytes], ...] = ()
    if isinstance(refusal, Throttled):
        headers = ((b"retry-after", f"{refusal.retry_after:g}".encode()),)
    return Reply(refusal.status, msgspec.json.encode(refusal.body(activity, moment)), headers)


def broken(activity: UUID, moment: datetime) -> Reply:
    """The reply when the endpoint itself has a fault; the log has the traceback."""
    return refused(Broken("The local endpoint failed; its log says how."), activity, moment)


async def reply_to(endpoint: Endpoint, call: Call) -> Reply:
    """The reply to `call`; raises Refusal or LostConnection."""
    route = _ROUTES.get(call.path)
    if route is None:
        raise Transport(404, f"There is no {call.path or '/'} here; see docs/emulator.md.")
    answer = route.get(call.method)
    if answer is None:
        raise Transport(405, f"{call.path} takes {' or '.join(route)}, not {call.method}.")
    return await answer(endpoint, call)


async def _health(endpoint: Endpoint, call: Call) -> Reply:
    del endpoint, call
    return Reply(200, b'{"status":"ok"}')


async def _metadata(endpoint: Endpoint, call: Call) -> Reply:
    del endpoint, call
    return Reply(200, msgspec.json.encode(_SIGN_IN))


async def _show_faults(endpoint: Endpoint, call: Call) -> Reply:
    if call.query == "help":
        return Reply(200, (fault_page.__doc__ or "").encode(), kind=b"text/plain; charset=utf-8")
    return Reply(200, msgspec.json.encode(endpoint.services.faults.shown()))


async def _set_faults(endpoint: Endpoint, call: Call) -> Reply:
    endpoint.services.faults.replace(call.body)
    return await _show_faults(endpoint, call)


async def _end_faults(endpoint: Endpoint, call: Call) -> Reply:
    endpoint.services.faults.clear()
    return await _show_faults(endpoint, call)


async def _mgmt(endpoint: Endpoint, call: Call) -> Reply:
    def encoded(table: Table, _: Request) -> bytes:
        return msgspec.json.encode(v1(table))

    return await _kusto(endpoint, call, endpoint.command, encoded)


async def _query(endpoint: Endpoint, call: Call) -> Reply:
    def encoded(table: Table, request: Request) -> bytes:
        if call.path.startswith("/v1"):
            return msgspec.json.encode(v1(table))
        return msgspec.json.encode(v2(table, request.activity, request.moment))

    return await _kusto(endpoint, call, endpoint.query, encoded)


async def _kusto(
    endpoint: Endpoint,
    call: Call,
    answer: Callable[[Request], Awaitable[Table]],
    encoded: Callable[[Table, Request], bytes],
) -> Reply:
    request = request_of(call, endpoint.services.clock())
    instead = await _struck(endpoint, request)
    if instead is not None:
        return instead
    table = await answer(request)
    if endpoint.services.faults.take("lose-reply", request.database, request.text):
        raise LostConnection
    if len(table.rows) < _FEW:
        return Reply(200, encoded(table, request))
    return Reply(200, await asyncio.to_thread(encoded, table, request))


async def _struck(endpoint: Endpoint, request: Request) -> Reply | None:
    """Apply the faults that come before a request is looked at."""
    faults, about = endpoint.services.faults, (request.database, request.text)
    if fault := faults.take("request-latency", *about):
        await asyncio.sleep(fault.seconds)
    if faults.take("lose-request", *about):
        raise LostConnection
    if fault := faults.take("throttle", *about):
        raise Throttled(endpoint.kind(request), fault.retry_after)
    if fault := faults.take("html", *about):
        return Reply(fault.http_status, _PAGE, kind=b"text/html")
    return None


_FEW: Final = 200
_PAGE: Final = b"<html><head><title>Bad Gateway</title></head><body>Bad Gateway</body></html>"
_SIGN_IN: Final = {
    "AzureAD": {
        "LoginEndpoint": "https://login.microsoftonline.com",
        "LoginMfaRequired": False,
        "KustoClientAppId": "db662dc1-0cfe-4e1c-a843-19a68e65be58",
        "KustoClientRedirectUri": "https://microsoft/kustoclient",
        "KustoServiceResourceId": "https://kusto.kusto.windows.net",
        "FirstPartyAuthorityUrl": "https://login.microsoftonline.com/",
    }
}
_Route = Callable[[Endpoint, Call], Awaitable[Reply]]
_ROUTES: Final[dict[str, dict[str, _Route]]] = {
    "/v1/rest/mgmt": {"POST": _mgmt},
    "/v1/rest/query": {"POST": _query},
    "/v2/rest/query": {"POST": _query},
    "/v1/rest/auth/metadata": {"GET": _metadata},
    "/healthz": {"GET": _health, "HEAD": _health},
    "/faults": {"GET": _show_faults, "PUT": _set_faults, "DELETE": _end_faults},
}
