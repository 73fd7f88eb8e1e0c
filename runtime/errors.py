"""What can go wrong outside this process, as one tree of errors.

``runtime/kube`` and ``worker/kusto`` turn what their client libraries raise into one of these, so
that no other module knows the exceptions of a client::

    OperatorError
    ├── Temporary(delay)        the same call may succeed later
    │   ├── Conflict            the object changed since it was read: re-read, decide again
    │   ├── Throttled           the service asked for fewer calls
    │   ├── Misconfigured       a login, a role or a URL must be corrected first
    │   ├── Unreachable         no usable answer, and nothing was carried out
    │   └── Ambiguous           the call may have been carried out; only its reply is missing
    ├── Permanent               the same call will fail again
    │   ├── NotFound            no such object
    │   ├── Gone                the resourceVersion or page is too old: list again
    │   └── Refused(code)       the service understood the call and refused it
    │       └── InvalidQuery    the query has a syntax or semantic error
    └── LeaseLost               another worker may be leading: no side effect from here on

``LeaseLost`` is neither: it is about this process and not about a rule. A handler that reports
``Permanent`` on a rule does not catch it. ``observed`` counts and times calls by their error.
"""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping


class OperatorError(Exception):
    """The root. ``str(error)`` is one sentence for a condition or an Event."""


class Temporary(OperatorError):
    """The same call may succeed later.

    ``delay`` is the shortest time in seconds before the next try; 0 leaves it to the caller's
    backoff. ``requeue_after`` is when the rule has something else to do, in seconds (None: never).
    """

    def __init__(self, message: str, delay: float = 0.0) -> None:
        super().__init__(message)
        self.delay = delay
        self.requeue_after: float | None = None


class Conflict(Temporary):
    """HTTP 409: the object changed since it was read (or exists already). Read it again."""


class Throttled(Temporary):
    """HTTP 429: ``delay`` is the service's ``Retry-After``, or the adapter's own estimate."""


class Misconfigured(Temporary):
    """A login, a role or a URL must be corrected; it works as soon as somebody has done so."""


class Unreachable(Temporary):
    """No connection, or no usable answer to a read: the service is down or hidden by a proxy."""


class Ambiguous(Temporary):
    """The call may have been carried out: its connection was lost before the reply."""


class Permanent(OperatorError):
    """The same call will fail again until somebody changes something."""


class NotFound(Permanent):
    """HTTP 404: no such object."""


class Gone(Permanent):
    """HTTP 410, or a watch's ERROR event with code 410: list again."""


class Refused(Permanent):
    """The service understood the call and refused it.

    ``code`` is the reason as the service names it: a Kubernetes reason (``Invalid``, ``Forbidden``)
    or a Kusto error code (``SEM0100``, ``BadRequest_EntityNotFound``); empty when it gave none.
    """

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code


class InvalidQuery(Refused):
    """Kusto refused the text of a query: code ``SYN…`` or ``SEM…``."""


class LeaseLost(OperatorError):
    """The Lease may have expired, so another replica may lead."""


def retry_after(headers: Mapping[str, str], otherwise: float) -> float:
    """Seconds that a ``Retry-After`` header asks for; ``otherwise`` if it has no number."""
    with contextlib.suppress(ValueError):
        return max(0.0, float(headers.get("Retry-After", "")))
    return otherwise


Observe = Callable[[str, str, float], None]
"""Gets each call: what it is, its result (``ok`` or the name of the error), seconds."""


def ignore(_call: str, _result: str, _seconds: float) -> None:
    """Count nothing."""


@contextlib.contextmanager
def observed(observe: Observe, call: str) -> Iterator[None]:
    """Around one call: ``observe`` gets its result and its time."""
    began, result = time.perf_counter(), "ok"
    try:
        yield
    except OperatorError as error:
        result = type(error).__name__
        raise
    finally:
        observe(call, result, time.perf_counter() - began)
