"""What a plan says, as plain data: ``worker run`` executes it, ``worker plan`` prints it."""

from dataclasses import dataclass

from summaryrule.actions import Action
from summaryrule.duration import Duration
from summaryrule.instant import Instant
from summaryrule.v1 import BackfillStatus
from summaryrule.windows import Tiles


@dataclass(frozen=True, slots=True)
class Held:
    """Why something of the rule does not run now."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Flying:
    """An operation to poll; ``usual`` is how long those of its kind took of late, if known."""

    database: str
    operation_id: str
    submitted_at: Instant | None
    usual: Duration | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do about one rule now, and when to look again.

    Attributes:
        held: why something does not run; the rest goes on.
        actions: side effects in order; the worker plans again after them.
        in_flight: operations whose end the rule waits for.
        wake: the earliest time at which this plan would read differently by itself.
        due: interval windows that are due and not yet taken up, before this plan's intents.
        backfill: the backfill before this plan's intents, if it may run.
    """

    held: tuple[Held, ...] = ()
    actions: tuple[Action, ...] = ()
    in_flight: tuple[Flying, ...] = ()
    wake: Instant | None = None
    due: Tiles | None = None
    backfill: BackfillStatus | None = None
