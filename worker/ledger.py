"""Answers that are not in status yet, by rule. The reconcile loop's memory, and all of it.

Losing it loses nothing: an answer that was never recorded is asked for again under the same
token (design, section 7).
"""

from dataclasses import dataclass, field
from typing import Final

from summaryrule.api.instant import Instant
from summaryrule.planner.types import Observations, Operation
from worker.kube.store import Key

_WORTH_SAYING: Final = 3


@dataclass(slots=True)
class _Page:
    submitted: dict[str, str] = field(default_factory=dict)
    rejected: dict[str, str] = field(default_factory=dict)
    tag_found: dict[str, bool] = field(default_factory=dict)
    canceled: set[str] = field(default_factory=set)
    operations: dict[str, Operation] = field(default_factory=dict)
    failures: int = 0
    endpoint_error: str = ""
    cursor_sync: tuple[Instant, int] | None = None
    complaint: str = ""

    def answered(self) -> None:
        self.failures, self.endpoint_error = 0, ""


class Ledger:
    """One page a rule; keys are the store's."""

    def __init__(self) -> None:
        self._pages: dict[Key, _Page] = {}

    def observed(self, key: Key) -> Observations:
        """All answers about the rule, as the plan takes them."""
        page = self._page(key)
        at, generation = page.cursor_sync or (None, None)
        return Observations(
            operations=dict(page.operations),
            submitted=dict(page.submitted),
            rejected=dict(page.rejected),
            tag_found=dict(page.tag_found),
            canceled=frozenset(page.canceled),
            endpoint_error=page.endpoint_error,
            cursor_synced_at=at,
            cursor_sync_generation=generation,
        )

    def submitted(self, key: Key, token: str, operation_id: str) -> None:
        """A submit was answered with this operation."""
        self._page(key).submitted[token] = operation_id
        self._page(key).answered()

    def refused(self, key: Key, token: str, why: str) -> None:
        """A submit was refused for good."""
        self._page(key).rejected[token] = why
        self._page(key).answered()

    def unanswered(self, key: Key, why: str) -> None:
        """A submit got no usable answer; after a few in a row the rule says why, as first heard."""
        page = self._page(key)
        page.failures += 1
        if page.failures >= _WORTH_SAYING:
            page.endpoint_error = page.endpoint_error or why

    def tagged(self, key: Key, token: str, *, found: bool) -> None:
        """Whether the table has an extent with the token's tag."""
        self._page(key).tag_found[token] = found

    def canceled(self, key: Key, operation_id: str) -> None:
        """The operation's cancellation was asked for."""
        self._page(key).canceled.add(operation_id)

    def polled(self, key: Key, operation: Operation) -> bool:
        """An operation's state as just polled; whether that is news."""
        before = self._page(key).operations.get(operation.id)
        self._page(key).operations[operation.id] = operation
        return before is None or before.state != operation.state

    def recorded(self, key: Key, seen: Observations) -> None:
        """Status now holds what ``seen`` said: those answers are done with."""
        page = self._page(key)
        for name in ("submitted", "rejected", "tag_found", "operations"):
            answers, told = getattr(page, name), getattr(seen, name)
            for each, answer in told.items():
                if answers.get(each) == answer:
                    del answers[each]

    def shown(self, key: Key, at: Instant, generation: int) -> None:
        """The rule's cursor was shown in spec, which made this generation of it."""
        self._page(key).cursor_sync = at, generation

    def is_news(self, key: Key, complaint: str) -> bool:
        """Whether it was not what was last complained of about the rule; it is from now on."""
        before, self._page(key).complaint = self._page(key).complaint, complaint
        return before != complaint

    def forget(self, key: Key) -> None:
        """The rule is gone."""
        self._pages.pop(key, None)

    def _page(self, key: Key) -> _Page:
        return self._pages.setdefault(key, _Page())
