"""What an admission request may be: its head, and the size and the time of its body."""

import asyncio
from collections.abc import Collection
from typing import Final

import msgspec

from webhook.errors import RefusedRequestError
from webhook.probes import Receive, Scope

MAX_BODY_BYTES: Final = 3 * 1024 * 1024
"""The API server's own limit for a request body (apiserver v0.37, MaxRequestBodyBytes)."""
BODY_TIMEOUT: Final = 10.0
"""Seconds within which the whole body must arrive. The API server itself waits at most 30."""
CLIENT_NAME: Final = "client_name"
"""Key in the ASGI ``state``: the common name in the client's verified certificate, or None."""


def check_request(scope: Scope, client_names: Collection[str] | None) -> None:
    """Check the head of an admission request.

    The client needs a verified certificate with one of ``client_names`` (empty: any name; None: no
    certificate).

    Raises:
        RefusedRequestError: 405, 413, 415 or 403, checked in this order.
    """
    if scope["method"] != "POST":
        raise RefusedRequestError(405, f"{scope['method']} is not POST")
    content_type = b""
    for name, value in scope["headers"]:
        if name == b"content-type":
            content_type = value
        elif name == b"content-length" and int(value) > MAX_BODY_BYTES:
            raise _too_large()
    if content_type.partition(b";")[0].strip().lower() != b"application/json":
        raise RefusedRequestError(415, "the content type must be application/json")
    if client_names is None:
        return
    name = scope["state"].get(CLIENT_NAME)
    if name is None or (client_names and name not in client_names):
        raise RefusedRequestError(403, "only the API server may ask; show its client certificate")


async def read_body(receive: Receive, timeout: float) -> bytes:  # noqa: ASYNC109 - part of the answer
    """Read the whole request body; ``timeout`` is in seconds.

    Raises:
        RefusedRequestError: 413 beyond `MAX_BODY_BYTES`, 408 after ``timeout``, 400 when the
            client closes the connection (ASGI ignores a response after that).
    """
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(None) as deadline:
            # Most bodies are there at once and need no timer. A timer costs a tenth of a request,
            # so it starts only when this task first waits.
            start = loop.call_soon(deadline.reschedule, loop.time() + timeout)
            try:
                return await _join_pieces(receive)
            finally:
                start.cancel()
    except TimeoutError:
        raise RefusedRequestError(408, f"no whole body within {timeout:.0f} s") from None


async def _join_pieces(receive: Receive) -> bytes:
    pieces: list[bytes] = []
    size, is_more = 0, True
    while is_more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise RefusedRequestError(400, "the client closed the connection")
        piece = message.get("body", b"")
        size += len(piece)
        if size > MAX_BODY_BYTES:
            raise _too_large()
        pieces.append(piece)
        is_more = message.get("more_body", False)
    return b"".join(pieces)


def error_body(error: RefusedRequestError) -> bytes:
    """Return a ``metav1.Status``, which the API server repeats in its own error."""
    return msgspec.json.encode({
        "apiVersion": "v1",
        "kind": "Status",
        "status": "Failure",
        "code": error.status,
        "message": str(error),
    })  # fmt: skip


def _too_large() -> RefusedRequestError:
    return RefusedRequestError(413, f"the body is larger than {MAX_BODY_BYTES} bytes")
