"""What the worker needs of the outside world, as protocols.

The adapters are in ``worker.kube`` and ``worker.kusto``; the simulation has in-memory ones. The
same contract tests check both against what is written here.
"""

from collections.abc import Callable, Iterable
from typing import Any, Literal, Protocol

from summaryrule.api.instant import Instant
from summaryrule.planner.types import Column, Operation

RawRule = dict[str, Any]
"""A SummaryRule as the API server's JSON has it, metadata and managedFields included."""

EventType = Literal["Normal", "Warning"]


class Fence(Protocol):
    """Guards side effects: whether this process may still act.

    The process may be stopped (SIGSTOP, a frozen VM) between a decision and its side effect. So
    ``check`` is called immediately before each side effect. It does no I/O.
    """

    def check(self) -> None:
        """Return if the side effect may happen now.

        Raises:
            LeaseLost: the Lease was lost, or was not renewed in time.
            Conflict: the rule was edited or deleted after the side effect was decided.
        """
        ...


class RuleClient(Protocol):
    """Reads and writes of SummaryRules.

    Writes are compare-and-swap on ``rule["metadata"]["resourceVersion"]`` and return the object
    as stored. All raise ``Conflict`` when it changed since ``rule`` was read, ``NotFound`` when it
    is gone, ``Refused`` when the schema or admission refuses, ``Ambiguous`` when the reply was
    lost (read again before anything else), ``Temporary`` otherwise.
    """

    async def get(self, namespace: str, name: str) -> RawRule:
        """The object as the server has it now."""
        ...

    async def patch_status(self, rule: RawRule, status: dict[str, Any]) -> RawRule:
        """Replace the status by ``status``: fields that it lacks are removed.

        If the status is the same already, no call is made and ``rule`` itself is returned.
        """
        ...

    async def patch(self, rule: RawRule, body: dict[str, Any]) -> RawRule:
        """Merge ``body`` (RFC 7386: null removes) into the main resource, never into status.

        Used for spec, annotations, finalizers and ``metadata.managedFields``.
        """
        ...


class KustoClient(Protocol):
    """Commands of the worker to the endpoint that serves a database.

    All raise ``Throttled``, ``Refused``, or ``Temporary`` (``Refused`` with code ``NoEndpoint``
    for a database that no endpoint serves).
    """

    def endpoint(self, database: str) -> str | None:
        """URL of the endpoint that serves ``database``, or None."""
        ...

    async def submit(self, database: str, command: str, *, before_send: Callable[[], None]) -> str:
        """Start an ``async`` command and return its operation id.

        ``before_send`` (``Fence.check``) is called once nothing else has to be waited for before
        the request. What it raises is raised here, and the command is not sent.

        Raises:
            Ambiguous: the command may be running; submit it again with the same token only.
        """
        ...

    async def operations(self, database: str, ids: Iterable[str]) -> dict[str, Operation]:
        """The latest record of each id that Kusto still knows (younger than 6 hours)."""
        ...

    async def operations_log(self, database: str, ids: Iterable[str]) -> dict[str, Operation]:
        """The latest record of each id in the two-week log, which may lag by minutes."""
        ...

    async def has_tag(self, database: str, table: str, tag: str) -> bool:
        """Whether any extent of ``table`` carries ``tag`` (``ingest-by:TOKEN``, whole).

        False too when there is no such table. An append of no rows leaves no tag.
        """
        ...

    async def find_tags(self, database: str, table: str, prefix: str, since: Instant) -> set[str]:
        """The tags of ``table`` that begin with ``prefix``.

        Only extents count whose creation time is ``since`` or later. Empty if there is no such
        table.
        """
        ...

    async def drop_extents(
        self, database: str, table: str, tag: str, *, before_send: Callable[[], None]
    ) -> None:
        """Drop the extents of ``table`` that carry ``tag``, whole; ``before_send`` as in submit."""
        ...

    async def drop_tags(
        self, database: str, table: str, tags: Iterable[str], *, before_send: Callable[[], None]
    ) -> None:
        """Remove these tags from the extents of ``table``, whose rows stay."""
        ...

    async def cancel(self, database: str, operation: str) -> bool:
        """Request a cancel; return whether Kusto says that it was done.

        False is usual: the operation had ended, or Kusto no longer knows it.
        """
        ...


class QueryClient(Protocol):
    """Questions about queries. They delay no window, and do not open an endpoint's circuit.

    All raise as those of ``KustoClient`` do.
    """

    def endpoint(self, database: str) -> str | None:
        """URL of the endpoint that serves ``database``, or None."""
        ...

    async def query_columns(self, database: str, query: str) -> tuple[Column, ...] | None:
        """The columns of a query's result, without its rows; None if only running it shows them.

        Raises:
            InvalidQuery: the query has a syntax or semantic error.
        """
        ...

    async def table_columns(self, database: str, table: str) -> tuple[Column, ...] | None:
        """The columns of a table, in order; None if there is no such table."""
        ...


class EventRecorder(Protocol):
    """Kubernetes Events about a rule. Best effort: nothing is raised when one is lost."""

    async def emit(self, rule: RawRule, kind: EventType, reason: str, message: str) -> None:
        """Emit an Event; the same one again raises the count of the first."""
        ...


class Clock(Protocol):
    """Time from outside, passed in so that it can be virtual."""

    def now(self) -> int:
        """Wall clock in ticks of 100 ns since 0001-01-01T00:00:00Z."""
        ...

    def monotonic(self) -> float:
        """Seconds from an arbitrary start, never set back, counting on through a suspend."""
        ...
