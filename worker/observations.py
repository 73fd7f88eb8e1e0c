"""Answers that status does not hold yet, by rule: all that the worker keeps in memory.

Losing it loses nothing: an answer that was never recorded is asked for again with the same token.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Final

from runtime.errors import Misconfigured, OperatorError
from summaryrule.api.instant import Instant
from summaryrule.planner.types import Observations, Operation, QueryAnswer
from worker.kube.store import Key

_REPORT_AFTER_FAILURES: Final = 3
_REPORT_AFTER_SECONDS: Final = 10.0
"""A call that got no answer for so long is reported without a second one."""


@dataclass(slots=True)
class _NoReply:
    failures: int = 0
    reported: str = ""


@dataclass(slots=True)
class _RuleObservations:
    seen: Observations = field(default_factory=Observations)
    no_reply: dict[str, _NoReply] = field(default_factory=dict)
    last_message: str = ""
    is_read: bool = False


class ObservationStore:
    """One page a rule; keys are the store's."""

    def __init__(self) -> None:
        self._by_rule: dict[Key, _RuleObservations] = {}

    def observations(self, key: Key) -> Observations:
        """All answers about the rule, as the plan takes them."""
        page = self._of_rule(key)
        error = next((each.reported for each in page.no_reply.values() if each.reported), "")
        return replace(page.seen, endpoint_error=error)

    def add_submitted(self, key: Key, token: str, operation_id: str) -> None:
        """A submit was answered with this operation."""
        self._change(key, submitted={**self._seen(key).submitted, token: operation_id})

    def add_rejected(self, key: Key, token: str, why: str) -> None:
        """A submit was refused permanently."""
        self._change(key, rejected={**self._seen(key).rejected, token: why})

    def add_no_reply(self, key: Key, call: str, error: OperatorError, seconds: float) -> bool:
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
        self._change(key, tag_found={**self._seen(key).tag_found, token: found})

    def add_ingest_tags(self, key: Key, request_key: str, tags: Iterable[str]) -> None:
        """The ingest-by tags of the table of a backfill."""
        found = {**self._seen(key).ingest_tags, request_key: frozenset(tags)}
        self._change(key, ingest_tags=found)

    def add_replaced(self, key: Key, token: str) -> None:
        """The older runs of the token's window are dropped."""
        self._change(key, replaced=self._seen(key).replaced | {token})

    def add_tags_dropped(self, key: Key, before: Instant) -> None:
        """The drop-by tags of windows before this time were removed."""
        self._change(key, tags_dropped_before=before)

    def add_canceled(self, key: Key, operation_id: str) -> None:
        """The operation's cancellation was asked for."""
        self._change(key, canceled=self._seen(key).canceled | {operation_id})

    def add_operation(self, key: Key, operation: Operation) -> bool:
        """Store an operation as just polled; return whether it is new or its state changed."""
        known = self._seen(key).operations
        self._change(key, operations={**known, operation.id: operation})
        return operation.id not in known or known[operation.id].state != operation.state

    def discard_recorded(self, key: Key, seen: Observations) -> None:
        """Discard the answers of ``seen``, which status now holds; newer answers stay."""
        current = self._seen(key)
        kept = {
            name: {
                each: answer
                for each, answer in getattr(current, name).items()
                if getattr(seen, name).get(each) != answer
            }
            for name in ("submitted", "rejected", "tag_found", "ingest_tags", "operations")
        }
        self._change(key, replaced=current.replaced - seen.replaced, **kept)

    def add_read(self, key: Key) -> None:
        """The API server has answered a read or a write of the rule."""
        self._of_rule(key).is_read = True

    def is_read(self, key: Key) -> bool:
        """Whether the rule is known from the API server itself, and not from the watch alone."""
        return self._of_rule(key).is_read

    def add_cursor_sync(self, key: Key, at: Instant, generation: int) -> None:
        """Store when the cursor was written to the rule's spec, and the generation it produced."""
        self._change(key, cursor_synced_at=at, cursor_sync_generation=generation)

    def add_query_answer(self, key: Key, answer: QueryAnswer) -> bool:
        """Store the newest answer about the rule's query; return whether it differs."""
        before = self._seen(key).query_answer
        self._change(key, query_answer=answer)
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

    def _seen(self, key: Key) -> Observations:
        return self._of_rule(key).seen

    def _change(self, key: Key, **changes: Any) -> None:  # noqa: ANN401 - fields of `Observations`
        page = self._of_rule(key)
        page.seen = replace(page.seen, **changes)
