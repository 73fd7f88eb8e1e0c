"""The ASGI application: ``/mutate`` and ``/validate``; every other path goes to FastAPI.

For an admission request, the application checks the method and the headers, reads the body within a
size limit and a time limit, calls the handler, and answers. uvicorn does the rest: 100 Continue,
flow control in both directions, pipelining, keep-alive (https://uvicorn.dev/server-behavior/).
"""

import logging
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import Final

from runtime import clock
from summaryrule.api.field_errors import FieldError
from summaryrule.api.instant import Instant
from webhook.admission_review import AdmissionRequest, decode, encode, name_of
from webhook.errors import RefusedRequestError
from webhook.handlers import AdmissionConfig, Result, mutate, validate
from webhook.metrics import Metrics
from webhook.probes import App, Message, Receive, Scope, Send
from webhook.request_limits import BODY_TIMEOUT, check_request, error_body, read_body

Handler = Callable[[AdmissionRequest, AdmissionConfig, Instant], Result]


_CONTENT_TYPE: Final = (b"content-type", b"application/json")
_CLOSE: Final = (b"connection", b"close")
_ALLOW: Final = (b"allow", b"POST")
_CLOSING: Final = frozenset({408, 413, 500})
"""Statuses after which the connection closes; the rest of the request is not read."""
_SERVER_ERROR: Final = "an error of the webhook; see its log"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class AdmissionRoute:
    """One admission path: ``handler`` answers its reviews, and the route counts and logs them."""

    path: str
    handler: Handler
    config: AdmissionConfig
    metrics: Metrics
    now: Callable[[], Instant] = clock.now

    def review(self, body: bytes) -> bytes:
        """Return the AdmissionReview with the response to the request in ``body``.

        Raises:
            RefusedRequestError: 400, when the body is not an AdmissionReview.
        """
        started = perf_counter()
        request = decode(body)
        response, violations = self.handler(request, self.config, self.now())
        text = encode(request, response)
        self.metrics.observe_review(
            self.path, request.operation, response.decision, perf_counter() - started
        )
        if not response.allowed:
            self._log_denial(request, violations)
        return text

    def _log_denial(self, request: AdmissionRequest, violations: Iterable[FieldError]) -> None:
        """Log the user, the object and the reasons, and count each reason; log no object text."""
        for violation in violations:
            self.metrics.count_violation(violation)
        fields = {
            "uid": request.uid,
            "operation": request.operation,
            "namespace": request.namespace,
            "name": name_of(request),
            "user": request.user,
            "violations": [f"{each.field}: {each.reason}" for each in violations],
        }
        log.info("denied", extra={"fields": fields})


def admission_routes(config: AdmissionConfig, metrics: Metrics) -> Mapping[str, AdmissionRoute]:
    """Return both admission routes by their path."""
    return {
        path: AdmissionRoute(path, handler=handler, config=config, metrics=metrics)
        for path, handler in (("/mutate", mutate), ("/validate", validate))
    }


class Application:
    """Answers requests on the admission paths, and passes every other request to ``probes``.

    Without mutual TLS, ``client_names`` is None. With mutual TLS, an admission request needs a
    verified client certificate. If ``client_names`` is not empty, the common name of the
    certificate must be one of them. While ``is_draining``, every response has the header
    ``Connection: close``.
    """

    def __init__(
        self,
        routes: Mapping[str, AdmissionRoute],
        probes: App,
        *,
        client_names: Collection[str] | None = None,
        body_timeout: float = BODY_TIMEOUT,
    ) -> None:
        self._routes, self._probes = routes, probes
        self._client_names, self._body_timeout = client_names, body_timeout
        self.is_draining = False
        self.in_flight = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request (ASGI 3)."""
        self.in_flight += 1
        try:
            route = self._routes.get(scope["path"])
            if route is None:
                await self._probes(scope, receive, self._with_close(send))
            else:
                await self._answer(route, scope, receive, send)
        finally:
            self.in_flight -= 1

    async def _answer(
        self, route: AdmissionRoute, scope: Scope, receive: Receive, send: Send
    ) -> None:
        try:
            check_request(scope, self._client_names)
            text = route.review(await read_body(receive, self._body_timeout))
        except RefusedRequestError as error:
            await self._refuse(route, scope, send, error)
        except Exception:
            log.exception("%s failed", route.path)
            await self._refuse(route, scope, send, RefusedRequestError(500, _SERVER_ERROR))
        else:
            await self._respond(send, 200, text)

    async def _refuse(
        self, route: AdmissionRoute, scope: Scope, send: Send, error: RefusedRequestError
    ) -> None:
        route.metrics.count_refusal(route.path, error.status)
        headers = [_ALLOW] if error.status == 405 else []  # noqa: PLR2004 - RFC 9110, section 15.5.6
        # A client that waits for 100 Continue may still send the body. The server cannot know this.
        if error.status in _CLOSING or any(name == b"expect" for name, _ in scope["headers"]):
            headers.append(_CLOSE)
        await self._respond(send, error.status, error_body(error), headers)

    async def _respond(
        self, send: Send, status: int, body: bytes, more: Collection[tuple[bytes, bytes]] = ()
    ) -> None:
        headers = [_CONTENT_TYPE, (b"content-length", b"%d" % len(body)), *more]
        if self.is_draining and _CLOSE not in headers:
            headers.append(_CLOSE)
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _with_close(self, send: Send) -> Send:
        async def send_with_close(message: Message) -> None:
            if self.is_draining and message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), _CLOSE]
            await send(message)

        return send_with_close
