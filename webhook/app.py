"""The ASGI app: two admission paths handled here, all else handed to FastAPI.

The two paths are a plain ASGI branch because a request through FastAPI's routing and models costs
several times the decision itself (docs/benchmarks.md). `create_app` is where the room's parts are
wired; `webhook.server` runs what it returns.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from time import perf_counter
from typing import Any, Final

import msgspec

from summaryrule.instant import Instant
from webhook import clock
from webhook.admission import Judgement, Policy, mutate, name_of, validate
from webhook.callers import Caller
from webhook.errors import RefusedRequestError
from webhook.metrics import Metrics
from webhook.review import Request, decode, encode

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Decide = Callable[[Request, Policy, Instant], Judgement]

MOST_BYTES: Final = 3 * 1024 * 1024
"""The API server's own limit for a request body (apiserver v0.37, MaxRequestBodyBytes)."""
SLOWEST_BODY: Final = 10.0
"""Seconds in which a body must have come; the API server's own timeout is at most 30."""

log = logging.getLogger(__name__)
_JSON: Final = (b"content-type", b"application/json")


def create_app(
    policy: Policy,
    probes: App,
    metrics: Metrics,
    *,
    now: Callable[[], Instant] = clock.now,
    may_call: Caller | None = None,
) -> App:
    """The whole app. ``probes`` gets every request that is not an admission review.

    ``may_call`` judges who is calling the admission paths; None lets anyone.
    """
    paths = {
        path: _Path(path, decide=decide, policy=policy, metrics=metrics, now=now, may_call=may_call)
        for path, decide in (("/mutate", mutate), ("/validate", validate))
    }

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        path = paths.get(scope.get("path", ""))
        if path is None:
            await probes(scope, receive, send)
        else:
            await path.serve(scope, receive, send)

    return app


class _Path:
    """One admission path: HTTP in, a decision, HTTP out."""

    __slots__ = ("decide", "may_call", "metrics", "now", "path", "policy")

    def __init__(
        self,
        path: str,
        *,
        decide: Decide,
        policy: Policy,
        metrics: Metrics,
        now: Callable[[], Instant],
        may_call: Caller | None,
    ) -> None:
        self.path = path
        self.decide = decide
        self.policy = policy
        self.metrics = metrics
        self.now = now
        self.may_call = may_call

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            _check(scope)
            _check_caller(scope, self.may_call)
            body = self._answer(await _body(receive))
        except RefusedRequestError as refusal:
            self.metrics.refused(self.path, refusal.status)
            await _refuse(send, refusal)
        except Exception:
            self.metrics.refused(self.path, 500)
            raise
        else:
            await send({
                "type": "http.response.start",
                "status": 200,
                "headers": (_JSON, (b"content-length", b"%d" % len(body))),
            })  # fmt: skip
            await send({"type": "http.response.body", "body": body})

    def _answer(self, body: bytes) -> bytes:
        began = perf_counter()
        request = decode(body)
        answer, violations = self.decide(request, self.policy, self.now())
        text = encode(request, answer)
        metrics = self.metrics
        metrics.answered(self.path, request.operation, answer.decision, perf_counter() - began)
        if not answer.allowed:
            for violation in violations:
                metrics.violated(violation)
            _log_refusal(request, [f"{each.field}: {each.reason}" for each in violations])
        return text


def _check(scope: Scope) -> None:
    """Refuse a wrong method or content type, and a body that says it is too large."""
    if scope["method"] != "POST":
        raise RefusedRequestError(405, f"{scope['method']} is not POST")
    content_type = b""
    for name, value in scope["headers"]:
        if name == b"content-type":
            content_type = value
        elif name == b"content-length" and int(value) > MOST_BYTES:
            raise _too_large()
    if content_type.partition(b";")[0].strip().lower() != b"application/json":
        raise RefusedRequestError(415, "the content type must be application/json")


def _check_caller(scope: Scope, may_call: Caller | None) -> None:
    if may_call is not None and not may_call(scope):
        raise RefusedRequestError(403, "only the API server may ask; show its client certificate")


async def _body(receive: Receive) -> bytes:
    message = await receive()
    if not message.get("more_body"):
        return _part(message)
    try:
        async with asyncio.timeout(SLOWEST_BODY):
            return await _rest(_part(message), receive)
    except TimeoutError:
        raise RefusedRequestError(408, f"no whole body within {SLOWEST_BODY:.0f} s") from None


async def _rest(first: bytes, receive: Receive) -> bytes:
    body, more = bytearray(first), True
    while more:
        message = await receive()
        body += _part(message)
        more = bool(message.get("more_body"))
        if len(body) > MOST_BYTES:
            raise _too_large()
    return bytes(body)


def _part(message: MutableMapping[str, Any]) -> bytes:
    if message["type"] == "http.disconnect":
        raise RefusedRequestError(400, "the client went away before its whole body had come")
    part: bytes = message.get("body", b"")
    return part


def _too_large() -> RefusedRequestError:
    return RefusedRequestError(413, f"the body is larger than {MOST_BYTES} bytes")


async def _refuse(send: Send, refusal: RefusedRequestError) -> None:
    """Answer with a ``metav1.Status``, which the API server repeats in its own error."""
    body = msgspec.json.encode({
        "apiVersion": "v1",
        "kind": "Status",
        "status": "Failure",
        "code": refusal.status,
        "message": str(refusal),
    })  # fmt: skip
    headers = [_JSON, (b"content-length", b"%d" % len(body))]
    if refusal.status == 405:  # noqa: PLR2004 - RFC 9110, section 15.5.6, wants Allow
        headers.append((b"allow", b"POST"))
    if refusal.status in (408, 413):  # the rest of the body is not worth reading
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _log_refusal(request: Request, violations: list[str]) -> None:
    """One line for a denied review: who and why, never the object's own text."""
    fields = {
        "uid": request.uid,
        "operation": request.operation,
        "namespace": request.namespace,
        "name": name_of(request),
        "user": request.user,
        "violations": violations,
    }
    log.info("denied", extra={"fields": fields})
