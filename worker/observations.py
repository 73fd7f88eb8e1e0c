"""Answers that status does not hold yet, by rule: all that the worker keeps in memory.

Losing it loses nothing: an answer that was never recorded is asked for again with the same token.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from summaryrule.api.instant import Instant
from summaryrule.planner.types import Observations, Operation, QueryAnswer
from worker.errors import Misconfigured, WorkerError
from worker.kube.store import Key

_REPORT_AFTER_FAILURES: Final = 3
_REPORT_AFTER_SECONDS: Final = 10.0
"""A call that got no answer for so long is reported without a second one."""


@dataclass(slots=True)
class _RuleObservations:
    submitted: dict[str, str] = field(default_factory=dict)
    rejected: dict[str, str] = field(default_factory=dict)
    replaced: set[str] = field(default_factory=set)
    tag_found: dict[str, bool] = field(default_factory=dict)
    ingest_tags: dict[str, frozenset[str]] = field(default_factory=dict)
    tags_dropped_before: Instant | None = None
    canceled: set[str] = field(default_factory=set)
    operations: dict[str, Operation] = field(default_factory=dict)
    no_reply: dict[str, "_NoReply"] = field(default_factory=dict)
    cursor_sync: tuple[Instant, int] | None = None
    last_message: str = ""
    is_read: bool = False
    query_answer: QueryAnswer | None = None

    @property
    def endpoint_error(self) -> str:
        return next((each.reported for each in self.no_reply.values() if each.reported), "")


@dataclass(slots=True)
class _NoReply:
    failures: int = 0
    reported: str = ""


class ObservationStore:
    """One page a rule; keys are the store's."""

    def __init__(self) -> None:
        self._by_rule: dict[Key, _RuleObservations] = {}

    def observations(self, key: Key) -> Observations:
        """All answers about the rule, as the plan takes them."""
        page = self._of_rule(key)
        at, generation = page.cursor_sync or (None, None)
        return Observations(
            operations=dict(page.operations),
            submitted=dict(page.submitted),
            rejected=dict(page.rejected),
            replaced=frozenset(page.replaced),
            tag_found=dict(page.tag_found),
            ingest_tags=dict(page.ingest_tags),
            tags_dropped_before=page.tags_dropped_before,
            canceled=frozenset(page.canceled),
            endpoint_error=page.endpoint_error,
            cursor_synced_at=at,
            cursor_sync_generation=generation,
            query_answer=page.query_answer,
        )

    def add_submitted(self, key: Key, token: str, operation_id: str) -> None:
        """A submit was answered with this operation."""
        self._of_rule(key).submitted[token] = operation_id

    def add_rejected(self, key: Key, token: str, why: str) -> None:
        """A submit was refused permanently."""
        self._of_rule(key).rejected[token] = why

    def add_no_reply(self, key: Key, call: str, error: WorkerError, seconds: float) -> bool:
        """A call for the rule got no usable answer for ``seconds``; return whether that is news.

        It is reported, as first heard, after a few in a row, after a long time, or at once if
        somebody has to correct a login, a role or a URL.
        """
        state = self._of_rule(key).no_reply.setdefault(call, _NoReply())
        state.failures += 1
        is_clear = isinstance(error, Misconfigured) or seconds >= _REPORT_AFTER_SECONDS
        if state.reported or not (is_clear or state.failures >= _REPORT_AFTER_FAILURES):
            return False
        state.reported = str(error)
        return True

    def add_reply(self, key: Key, call: str) -> bool:
        """A call for the rule was answered; return whether it was reported as unanswered."""
        state = self._of_rule(key).no_reply.pop(call, None)
        return state is not None and bool(state.reported)

    def add_tag(self, key: Key, token: str, *, found: bool) -> None:
        """Whether the table has an extent with the token's tag."""
        self._of_rule(key).tag_found[token] = found

    def add_ingest_tags(self, key: Key, request_key: str, tags: Iterable[str]) -> None:
        """The ingest-by tags of the table of a backfill."""
        self._of_rule(key).ingest_tags[request_key] = frozenset(tags)

    def add_replaced(self, key: Key, token: str) -> None:
        """The older runs of the token's window are dropped."""
        self._of_rule(key).replaced.add(token)

    def add_tags_dropped(self, key: Key, before: Instant) -> None:
        """The drop-by tags of windows before this time were removed."""
        self._of_rule(key).tags_dropped_before = before

    def add_canceled(self, key: Key, operation_id: str) -> None:
        """The operation's cancellation was asked for."""
        self._of_rule(key).canceled.add(operation_id)

    def add_operation(self, key: Key, operation: Operation) -> bool:
        """Store an operation as just polled; return whether it is new or its state changed."""
        before = self._of_rule(key).operations.get(operation.id)
        self._of_rule(key).operations[operation.id] = operation
        return before is None or before.state != operation.state

    def discard_recorded(self, key: Key, seen: Observations) -> None:
        """Discard the answers of ``seen``, which status now holds; newer answers stay."""
        page = self._of_rule(key)
        for name in ("submitted", "rejected", "tag_found", "ingest_tags", "operations"):
            current, recorded = getattr(page, name), getattr(seen, name)
            for each, answer in recorded.items():
                if current.get(each) == answer:
                    del current[each]
        page.replaced -= seen.replaced

    def add_read(self, key: Key) -> None:
        """The API server has answered a read or a write of the rule."""
        self._of_rule(key).is_read = True

    def is_read(self, key: Key) -> bool:
        """Whether the rule is known from the API server itself, and not from the watch alone."""
        return self._of_rule(key).is_read

    def add_cursor_sync(self, key: Key, at: Instant, generation: int) -> None:
        """Store when the cursor was written to the rule's spec, and the generation it produced."""
        self._of_rule(key).cursor_sync = at, generation

    def add_query_answer(self, key: Key, answer: QueryAnswer) -> bool:
        """Store the newest answer about the rule's query; return whether it differs."""
        before, self._of_rule(key).query_answer = self._of_rule(key).query_answer, answer
        return before != answer

    def is_new_message(self, key: Key, message: str) -> bool:
        """Store the message; return whether it differs from the rule's last one."""
        before, self._of_rule(key).last_message = self._of_rule(key).last_message, message
        return before != message

    def forget(self, key: Key) -> None:
        """Remove all that is stored about a rule that no longer exists."""
        self._by_rule.pop(key, None)

    def _of_rule(self, key: Key) -> _RuleObservations:
        return self._by_rule.setdefault(key, _RuleObservations())
