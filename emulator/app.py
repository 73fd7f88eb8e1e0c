"""The ASGI application: reads an HTTP request, finds the route of its path, sends the response.

Bare ASGI: the endpoint has seven paths, and a framework would cost a third of its start-up.
`PUT /faults` can make a Kusto path answer with a fault instead. `emulator.server` runs the
application and gives each request a callable that cuts its own connection.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid4

import msgspec

from emulator import faults as fault_help
from emulator.context import Request
from emulator.errors import (
    BadRequestError,
    ForbiddenError,
    InternalError,
    KustoError,
    ThrottledError,
)
from emulator.request_parser import HttpRequest, Receive, parse_request, read_body
from emulator.responses import Table, encode_frames, v1_response, v2_response
from emulator.service import KustoService


@dataclass(frozen=True)
class HttpResponse:
    """Status, body, and headers beside the usual ones."""

    status: int
    body: bytes
    headers: tuple[tuple[bytes, bytes], ...] = ()
    kind: bytes = b"application/json; charset=utf-8"


class ConnectionCutError(Exception):
    """The connection is to be cut with no reply, because a fault asks for it."""


def error_response(error: KustoError, activity: UUID, now: datetime) -> HttpResponse:
    """The reply that official clients turn into KustoApiError or KustoThrottlingError."""
    headers: tuple[tuple[bytes, bytes], ...] = ()
    if isinstance(error, ThrottledError):
        headers = ((b"retry-after", f"{error.retry_after:g}".encode()),)
    return HttpResponse(error.status, msgspec.json.encode(error.body(activity, now)), headers)


def internal_error_response(activity: UUID, now: datetime) -> HttpResponse:
    """The reply when the endpoint itself has a fault; the log has the traceback."""
    return error_response(
        InternalError("The local endpoint failed; its log says how."), activity, now
    )


async def handle_request(service: KustoService, call: HttpRequest) -> HttpResponse:
    """The reply to `call`; raises KustoError or ConnectionCutError."""
    route = _ROUTES.get(call.path)
    if route is None:
        raise BadRequestError(404, f"There is no {call.path or '/'} here; see docs/emulator.md.")
    answer = route.get(call.method)
    if answer is None:
        raise BadRequestError(405, f"{call.path} takes {' or '.join(route)}, not {call.method}.")
    return await answer(service, call)


async def _health(service: KustoService, call: HttpRequest) -> HttpResponse:
    del service, call
    return HttpResponse(200, b'{"status":"ok"}')


async def _metadata(service: KustoService, call: HttpRequest) -> HttpResponse:
    del service, call
    return HttpResponse(200, msgspec.json.encode(_SIGN_IN))


async def _page(service: KustoService, call: HttpRequest) -> HttpResponse:
    del service, call
    headers = ((b"content-security-policy", _POLICY),)
    return HttpResponse(200, _QUERY_PAGE.read_bytes(), headers, b"text/html; charset=utf-8")


async def _show_faults(service: KustoService, call: HttpRequest) -> HttpResponse:
    if call.query == "help":
        return HttpResponse(
            200, (fault_help.__doc__ or "").encode(), kind=b"text/plain; charset=utf-8"
        )
    return HttpResponse(200, msgspec.json.encode(service.context.faults.to_dict()))


async def _replace_faults(service: KustoService, call: HttpRequest) -> HttpResponse:
    service.context.faults.replace(call.body)
    return await _show_faults(service, call)


async def _clear_faults(service: KustoService, call: HttpRequest) -> HttpResponse:
    service.context.faults.clear()
    return await _show_faults(service, call)


async def _mgmt(service: KustoService, call: HttpRequest) -> HttpResponse:
    def encoded(table: Table, _: Request) -> bytes:
        return msgspec.json.encode(v1_response(table))

    return await _kusto(service, call, service.command, encoded)


async def _query(service: KustoService, call: HttpRequest) -> HttpResponse:
    def encoded(table: Table, request: Request) -> bytes:
        if call.path.startswith("/v1"):
            return msgspec.json.encode(v1_response(table))
        frames = v2_response(table, request.activity, request.now, request.result_format)
        return encode_frames(frames, request.result_format)

    return await _kusto(service, call, service.query, encoded)


async def _kusto(
    service: KustoService,
    call: HttpRequest,
    answer: Callable[[Request], Awaitable[Table]],
    encoded: Callable[[Table, Request], bytes],
) -> HttpResponse:
    request = parse_request(call, service.context.clock())
    instead = await _apply_request_faults(service, request)
    if instead is not None:
        return instead
    table = await answer(request)
    if service.context.faults.take("lose-reply", request.database, request.text):
        raise ConnectionCutError
    if len(table.rows) < _FEW:
        return HttpResponse(200, encoded(table, request))
    return HttpResponse(200, await asyncio.to_thread(encoded, table, request))


async def _apply_request_faults(service: KustoService, request: Request) -> HttpResponse | None:
    """Apply the faults that come before a request is processed."""
    faults, about = service.context.faults, (request.database, request.text)
    if fault := faults.take("request-latency", *about):
        await asyncio.sleep(fault.seconds)
    if faults.take("lose-request", *about):
        raise ConnectionCutError
    if faults.take("forbid", *about):
        raise ForbiddenError(service.operation_kind(request), request.database)
    if fault := faults.take("throttle", *about):
        raise ThrottledError(service.operation_kind(request), fault.retry_after)
    if fault := faults.take("html", *about):
        return HttpResponse(fault.http_status, _PAGE, kind=b"text/html")
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
_Route = Callable[[KustoService, HttpRequest], Awaitable[HttpResponse]]
_QUERY_PAGE: Final = Path(__file__).with_name("page.html")
_POLICY: Final = (
    b"default-src 'none'; connect-src 'self'; script-src 'unsafe-inline'; "
    b"style-src 'unsafe-inline'; frame-ancestors 'none'"
)
_ROUTES: Final[dict[str, dict[str, _Route]]] = {
    "": {"GET": _page},
    "/v1/rest/mgmt": {"POST": _mgmt},
    "/v1/rest/query": {"POST": _query},
    "/v2/rest/query": {"POST": _query},
    "/v1/rest/auth/metadata": {"GET": _metadata},
    "/healthz": {"GET": _health, "HEAD": _health},
    "/faults": {"GET": _show_faults, "PUT": _replace_faults, "DELETE": _clear_faults},
}
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class App:
    """The application of one endpoint."""

    def __init__(self, service: KustoService) -> None:
        self._service = service

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Serve one lifespan or one request."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            event = (await receive())["type"]
            if event == "lifespan.startup":
                await self._service.start()
            else:
                await self._service.close()
            await send({"type": f"{event}.complete"})
            if event == "lifespan.shutdown":
                return

    async def _http(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        activity = uuid4()
        try:
            _require_same_origin(scope["headers"])
            query = scope["query_string"].decode("latin-1")
            body = await read_body(receive)
            call = HttpRequest(scope["method"], scope["path"].rstrip("/"), query, body, activity)
            reply = await handle_request(self._service, call)
        except ConnectionCutError:
            scope["emulator.abort"]()
            return
        except asyncio.CancelledError:  # a stop that could not wait; uvicorn would log a traceback
            scope["emulator.abort"]()
            return
        except KustoError as error:
            reply = error_response(error, activity, self._service.context.clock())
        except Exception:
            await _send(
                send,
                internal_error_response(activity, self._service.context.clock()),
                str(activity),
            )
            raise  # for the log
        await _send(send, reply, str(activity))


def _require_same_origin(headers: Iterable[tuple[bytes, bytes]]) -> None:
    """Refuse what a page of another site sends: there is no sign-in to stop it."""
    found = dict(headers)
    origin = found.get(b"origin")
    if origin is not None and origin.partition(b"://")[2] != found.get(b"host"):
        raise BadRequestError(403, "A page of another site may not use the local endpoint.")


async def _send(send: Send, reply: HttpResponse, activity: str) -> None:
    headers = [
        (b"content-type", reply.kind),
        (b"content-length", str(len(reply.body)).encode()),
        (b"x-ms-activity-id", activity.encode()),
        *reply.headers,
    ]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body})
