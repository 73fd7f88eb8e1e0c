"""A client of the API server for one Secret and two webhook configurations.

HTTP/1.1 on asyncio streams and the HTTP parser of the server, one connection per call. The
official client costs half a second of start-up and tens of megabytes
(docs/decisions/0010-webhook-api-client.md).
"""

import asyncio
import ssl
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any, Final, Literal

import httptools
import msgspec

from webhook.errors import ClusterError, ConflictError, NotFoundError
from webhook.kube_config import Credentials

CALL_TIMEOUT: Final = 10.0
"""Seconds in which a call must be answered."""
JSON_PATCH: Final = "application/json-patch+json"
_PIECE_BYTES: Final = 65_536
_FIRST_ERROR_STATUS: Final = 400
_ERRORS: Final = {404: NotFoundError, 409: ConflictError}

Object = dict[str, Any]


class Client:
    """Calls the API server at ``credentials``."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials

    async def call(
        self,
        method: Literal["GET", "POST", "PUT", "PATCH"],
        path: str,
        body: object = None,
        content_type: str = "application/json",
    ) -> Object:
        """Send one request and return the object in the response.

        Raises:
            ConflictError: 409. NotFoundError: 404. ClusterError: anything else, no answer in
                10 seconds included.
        """
        try:
            async with (
                asyncio.timeout(CALL_TIMEOUT),
                aclosing(self._exchange(method, path, body, content_type)) as pieces,
            ):
                text = b"".join([piece async for piece in pieces])
            answer: Object = msgspec.json.decode(text)
        except (OSError, TimeoutError, EOFError, httptools.HttpParserError) as error:
            raise ClusterError(f"{method} {path}: no answer: {error!r}") from error
        except msgspec.DecodeError as error:
            raise ClusterError(f"{method} {path}: the answer is not JSON: {error}") from error
        return answer

    async def changes(self, path: str) -> AsyncGenerator[None, None]:
        """Yield once per batch of watch events, until the server ends the watch.

        Raises:
            ClusterError: when the watch breaks.
        """
        try:
            async with aclosing(self._exchange("GET", path, None, "")) as pieces:
                async for _piece in pieces:
                    yield
        except (OSError, EOFError, httptools.HttpParserError, ssl.SSLError) as error:
            raise ClusterError(f"GET {path}: the watch broke: {error!r}") from error

    async def _exchange(
        self, method: str, path: str, body: object, content_type: str
    ) -> AsyncGenerator[bytes, None]:
        to = self._credentials
        reader, writer = await asyncio.open_connection(
            to.host, to.port, ssl=to.context, server_hostname=_server_name(to)
        )
        try:
            writer.write(_request(to, method, path, body, content_type))
            await writer.drain()
            async with aclosing(_reply(reader, f"{method} {path}")) as pieces:
                async for piece in pieces:
                    yield piece
        finally:
            writer.close()


def _server_name(to: Credentials) -> str | None:
    return (to.server_name or to.host) if to.context else None


def _request(to: Credentials, method: str, path: str, body: object, content_type: str) -> bytes:
    text = b"" if body is None else msgspec.json.encode(body)
    host = f"[{to.host}]" if ":" in to.host else to.host
    headers: Mapping[str, str] = {
        "Host": f"{host}:{to.port}",
        "Accept": "application/json",
        "User-Agent": "summaryrule-operator-webhook",
        "Connection": "close",
        "Content-Type": content_type if text else "",
        "Content-Length": str(len(text)) if text else "",
        "Authorization": to.authorization(),
    }
    lines = [f"{name}: {value}\r\n" for name, value in headers.items() if value]
    return f"{method} {path} HTTP/1.1\r\n{''.join(lines)}\r\n".encode() + text


class _Reply:
    """Collects what the parser finds."""

    def __init__(self) -> None:
        self.body: list[bytes] = []
        self.is_complete = False

    def on_body(self, piece: bytes) -> None:
        self.body.append(piece)

    def on_message_complete(self) -> None:
        self.is_complete = True


async def _reply(reader: asyncio.StreamReader, what: str) -> AsyncGenerator[bytes, None]:
    """Yield the body piece by piece; raise for an error status once the body is complete."""
    reply = _Reply()
    parser = httptools.HttpResponseParser(reply)
    failure = b""
    while not reply.is_complete:
        piece = await reader.read(_PIECE_BYTES)
        if not piece:
            raise EOFError("the connection ended inside the answer")
        parser.feed_data(piece)
        text, reply.body = b"".join(reply.body), []
        if parser.get_status_code() >= _FIRST_ERROR_STATUS:
            failure += text
        elif text:
            yield text
    if parser.get_status_code() >= _FIRST_ERROR_STATUS:
        raise _error(parser.get_status_code(), what, failure)


def _error(status: int, what: str, text: bytes) -> ClusterError:
    try:
        message = msgspec.json.decode(text)["message"]
    except (msgspec.DecodeError, TypeError, KeyError):
        message = text[:200].decode(errors="replace")
    return _ERRORS.get(status, ClusterError)(f"{what}: HTTP {status}: {message}")
