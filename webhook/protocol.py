"""HTTP/1.1 for the admission paths: a request is answered where its last byte is parsed.

uvicorn runs one of these for each connection. ASGI gives every request a task and four messages,
which cost as much as the decision (docs/decisions/0050); a decision does no I/O and has nothing to
wait for, so here it is made in the parser's callback and written at once, head and body together.
Every other path goes on to the ASGI app as uvicorn has it.

1. One request at a time: HTTP sends them in order, and an admission path is answered before the
   next request is parsed.
2. A review behind a request that the app still answers is not taken up: that answer closes the
   connection, and whoever sent both sends the review again (RFC 9112, section 9.6).
3. A request may be refused before its body has come; what comes of it is then passed over.
4. While the peer reads no answers, nothing more is read from it.
"""

import asyncio
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from webhook.callers import Caller
from webhook.endpoint import MOST_BYTES, Endpoint, check, status, too_large
from webhook.errors import RefusedRequestError

SLOWEST_BODY: Final = 10.0
"""Seconds in which a body must have come; the API server's own timeout is at most 30."""

_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
_CONTENT: Final = b"content-type: application/json\r\ncontent-length: %d\r\n"
_CLOSE: Final = b"connection: close\r\n"
_MORE: Final = {
    405: b"allow: POST\r\n",  # RFC 9110, section 15.5.6, wants it
}
_ENDING: Final = frozenset({408, 413, 500})
"""Answers after which the rest of the request is not worth reading."""


class AdmissionProtocol(HttpToolsProtocol):
    """One connection. ``may_call`` judges whose it is, for the admission paths only."""

    def __init__(
        self,
        *,
        endpoints: Mapping[bytes, Endpoint],
        may_call: Caller | None = None,
        **uvicorn: Any,  # noqa: ANN401 - uvicorn's own arguments
    ) -> None:
        super().__init__(**uvicorn)
        self.endpoints, self.may_call = endpoints, may_call
        self.is_trusted = may_call is None
        self.endpoint: Endpoint | None = None
        self.is_answered = False
        self.keeps_alive = True
        self.body = bytearray()
        self.deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Look at who it is, once a connection."""
        super().connection_made(transport)
        if self.may_call is not None:
            self.is_trusted = self.may_call(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Count a review that has not come whole."""
        if self.endpoint is not None and not self.is_answered:
            self.endpoint.refused(400)
        self._forget()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse; a body that is still on its way gets a deadline."""
        super().data_received(data)
        if self.endpoint is not None and self.deadline is None:
            self.deadline = self.loop.call_later(SLOWEST_BODY, self._give_up, self.endpoint)

    def on_message_begin(self) -> None:
        """Begin a request; uvicorn's scope for the app is made only where the app is asked."""
        self.url, self.headers, self.expect_100_continue = b"", [], False

    def on_headers_complete(self) -> None:
        """Take a review up, or let uvicorn take what is none."""
        endpoint = self.endpoints.get(self.url.partition(b"?")[0])
        if endpoint is None:
            self._pass_on()
            return
        self.endpoint, self.is_answered, self.body = endpoint, False, bytearray()
        self.keeps_alive = (
            self.parser.get_http_version() == "1.1" and self.parser.should_keep_alive()
        )
        if self.transport.is_closing():
            self.is_answered = True
        elif not getattr(self.cycle, "response_complete", True):  # there is none at first
            self.is_answered, self.cycle.keep_alive = True, False
        else:
            self._begin(endpoint)

    def on_body(self, body: bytes) -> None:
        """Keep a part of a review."""
        if self.endpoint is None:
            super().on_body(body)
        elif not self.is_answered:
            self.body += body
            if len(self.body) > MOST_BYTES:
                self._refuse(self.endpoint, too_large())

    def on_message_complete(self) -> None:
        """Answer a review."""
        endpoint = self.endpoint
        if endpoint is None:
            super().on_message_complete()
            return
        if not self.is_answered:
            self._answer(endpoint)
        self._forget()
        self._wait_for_next()

    def shutdown(self) -> None:
        """Close once what is being received has been answered."""
        if self.endpoint is None:
            super().shutdown()
        else:
            self.keeps_alive = False

    def resume_writing(self) -> None:
        """Read on from a peer that reads its answers again."""
        super().resume_writing()
        self.flow.resume_reading()

    def _pass_on(self) -> None:
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expects
        self.headers += headers  # in place: the scope holds this list
        super().on_headers_complete()

    def _begin(self, endpoint: Endpoint) -> None:
        try:
            check(self.parser.get_method(), self.headers, is_trusted=self.is_trusted)
        except RefusedRequestError as refusal:
            # Who waits for 100 may now send the body or not: nobody can tell what comes next.
            self.keeps_alive = self.keeps_alive and not self.expect_100_continue
            self._refuse(endpoint, refusal)
        else:
            if self.expect_100_continue:
                self.transport.write(_CONTINUE)

    def _answer(self, endpoint: Endpoint) -> None:
        try:
            text = endpoint.answer(bytes(self.body))
        except RefusedRequestError as refusal:
            self._refuse(endpoint, refusal)
        except Exception as error:  # noqa: BLE001 - told as the loop tells of its callbacks'
            self._refuse(endpoint, RefusedRequestError(500, "an error of the webhook; see its log"))
            message = f"{endpoint.path} failed"
            self.loop.call_exception_handler({"message": message, "exception": error})
        else:
            self._send(200, text)

    def _refuse(self, endpoint: Endpoint, refusal: RefusedRequestError) -> None:
        endpoint.refused(refusal.status)
        self.keeps_alive = self.keeps_alive and refusal.status not in _ENDING
        self._send(refusal.status, status(refusal), _MORE.get(refusal.status, b""))

    def _give_up(self, endpoint: Endpoint) -> None:
        """End a request whose body does not come."""
        if self.is_answered:
            self.transport.close()
        else:
            words = f"no whole body within {SLOWEST_BODY:.0f} s"
            self._refuse(endpoint, RefusedRequestError(408, words))

    def _send(self, code: int, body: bytes, more: bytes = b"") -> None:
        self.is_answered = True
        ours, closes = _lines(tuple(self.server_state.default_headers))
        if not self.keeps_alive and not closes:
            more += _CLOSE
        content = _CONTENT % len(body)
        self.transport.write(b"".join((STATUS_LINE[code], ours, content, more, b"\r\n", body)))
        if closes or not self.keeps_alive:
            self.transport.close()
        elif self.flow.write_paused:
            self.flow.pause_reading()

    def _forget(self) -> None:
        self.endpoint = None
        if self.deadline is not None:
            self.deadline.cancel()
            self.deadline = None

    def _wait_for_next(self) -> None:
        """Wait for the next request as long as uvicorn does between two."""
        self.server_state.total_requests += 1
        if not self.transport.is_closing():
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )


@lru_cache(maxsize=8)
def _lines(headers: tuple[tuple[bytes, bytes], ...]) -> tuple[bytes, bool]:
    """The server's own headers as text, and whether they close the connection."""
    text = b"".join(b"%s: %s\r\n" % header for header in headers)
    return text, (b"connection", b"close") in headers
