"""One admission path: what a request must be, and from its body to the answer's. No I/O.

`webhook.protocol` hands over each request's head and, once it is whole, its body. `endpoints` gives
both paths by their URL.
"""

import logging
from collections.abc import Callable, Iterable, Mapping
from time import perf_counter
from typing import Final

import msgspec

from summaryrule.api.field_errors import FieldError
from summaryrule.api.instant import Instant
from webhook import clock
from webhook.admission import Judgement, Policy, mutate, name_of, validate
from webhook.errors import RefusedRequestError
from webhook.metrics import Metrics
from webhook.review import Request, decode, encode

Decide = Callable[[Request, Policy, Instant], Judgement]

MOST_BYTES: Final = 3 * 1024 * 1024
"""The API server's own limit for a request body (apiserver v0.37, MaxRequestBodyBytes)."""

log = logging.getLogger(__name__)


def endpoints(
    policy: Policy, metrics: Metrics, now: Callable[[], Instant] = clock.now
) -> Mapping[bytes, "Endpoint"]:
    """The two admission paths."""
    return {
        path.encode(): Endpoint(path, decide=decide, policy=policy, metrics=metrics, now=now)
        for path, decide in (("/mutate", mutate), ("/validate", validate))
    }


class Endpoint:
    """One path: ``decide`` under ``policy``, counted in ``metrics``."""

    __slots__ = ("decide", "metrics", "now", "path", "policy")

    def __init__(
        self,
        path: str,
        *,
        decide: Decide,
        policy: Policy,
        metrics: Metrics,
        now: Callable[[], Instant],
    ) -> None:
        self.path = path
        self.decide = decide
        self.policy = policy
        self.metrics = metrics
        self.now = now

    def answer(self, body: bytes) -> bytes:
        """The review that answers the one in ``body``, decided, counted and logged.

        Raises:
            RefusedRequestError: 400, for a body that is no review.
        """
        began = perf_counter()
        request = decode(body)
        answer, violations = self.decide(request, self.policy, self.now())
        text = encode(request, answer)
        metrics = self.metrics
        metrics.answered(self.path, request.operation, answer.decision, perf_counter() - began)
        if not answer.allowed:
            self._tell(request, violations)
        return text

    def refused(self, status: int) -> None:
        """Count a request that gets ``status`` instead of a decision."""
        self.metrics.refused(self.path, status)

    def _tell(self, request: Request, violations: Iterable[FieldError]) -> None:
        """Count and log a denied review: who and why, never the object's own text."""
        for violation in violations:
            self.metrics.violated(violation)
        fields = {
            "uid": request.uid,
            "operation": request.operation,
            "namespace": request.namespace,
            "name": name_of(request),
            "user": request.user,
            "violations": [f"{each.field}: {each.reason}" for each in violations],
        }
        log.info("denied", extra={"fields": fields})


def check(method: bytes, headers: Iterable[tuple[bytes, bytes]], *, is_trusted: bool) -> None:
    """Look at a request's head; header names are in lower case.

    Raises:
        RefusedRequestError: for a wrong method or content type, for a body that says that it is
            too large, and for a caller who is not trusted.
    """
    if method != b"POST":
        raise RefusedRequestError(405, f"{method.decode('ascii')} is not POST")
    content_type = b""
    for name, value in headers:
        if name == b"content-type":
            content_type = value
        elif name == b"content-length" and int(value) > MOST_BYTES:
            raise too_large()
    if content_type.partition(b";")[0].strip().lower() != b"application/json":
        raise RefusedRequestError(415, "the content type must be application/json")
    if not is_trusted:
        raise RefusedRequestError(403, "only the API server may ask; show its client certificate")


def too_large() -> RefusedRequestError:
    """The refusal of a body beyond `MOST_BYTES`."""
    return RefusedRequestError(413, f"the body is larger than {MOST_BYTES} bytes")


def status(refusal: RefusedRequestError) -> bytes:
    """A ``metav1.Status``, which the API server repeats in its own error."""
    return msgspec.json.encode({
        "apiVersion": "v1",
        "kind": "Status",
        "status": "Failure",
        "code": refusal.status,
        "message": str(refusal),
    })  # fmt: skip
