"""What every step of a plan looks at: the rule, what was observed, the time, the settings."""

from collections.abc import Iterator
from dataclasses import dataclass

from summaryrule import flight
from summaryrule.agenda import Flying, Held
from summaryrule.duration import Duration
from summaryrule.instant import Instant
from summaryrule.observed import Observed
from summaryrule.settings import Settings
from summaryrule.v1 import SummaryRule, SummaryRuleStatus, WindowStatus


@dataclass(frozen=True, slots=True)
class Desk:
    """One rule to decide about at ``now``; ``hold`` is why nothing new may be submitted."""

    rule: SummaryRule
    observed: Observed
    now: Instant
    settings: Settings
    hold: Held | None = None

    @property
    def stored(self) -> SummaryRuleStatus:
        """The status that the rule has."""
        return self.rule.status or SummaryRuleStatus()

    @property
    def runs_schedule(self) -> bool:
        """Whether interval runs are this worker's at all."""
        return self.settings.mode == "all"

    def windows(self, status: SummaryRuleStatus) -> tuple[WindowStatus, ...]:
        """All that is in flight and this worker's, the schedule's first."""
        runs = status.schedule if self.runs_schedule else None
        past = status.backfill
        return (*(runs.in_flight if runs else ()), *(past.in_flight if past else ()))

    def flying(self, status: SummaryRuleStatus) -> tuple[Flying, ...]:
        """Operations to poll, the schedule's first."""
        runs = status.schedule if self.runs_schedule else None
        past = status.backfill
        return (
            *(self._flying(runs.in_flight, runs.operation_time) if runs else ()),
            *(self._flying(past.in_flight, past.operation_time) if past else ()),
        )

    def _flying(
        self, windows: tuple[WindowStatus, ...], usual: Duration | None
    ) -> Iterator[Flying]:
        for window in windows:
            if window.operation_id is not None:
                where = flight.database(window, self.rule, self.settings)
                yield Flying(where, window.operation_id, window.submitted_at, usual)


def flies(status: SummaryRuleStatus) -> bool:
    """Whether a backfill has something in flight, which is what the finalizer is for."""
    return status.backfill is not None and bool(status.backfill.in_flight)
