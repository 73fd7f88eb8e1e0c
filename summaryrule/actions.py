"""What a plan asks the worker to do: each one side effect, as plain data.

The order in a plan is the order of execution, and the worker stops at the first that fails and
plans again from what it then reads. So every prefix of a plan leaves a state from which the rest
follows (design, sections 7 and 8).
"""

from dataclasses import dataclass
from typing import Literal

from summaryrule.instant import Instant
from summaryrule.v1 import SummaryRuleStatus, WindowStatus


@dataclass(frozen=True, slots=True)
class RecordStatus:
    """Write this status, under the object's resourceVersion."""

    status: SummaryRuleStatus


@dataclass(frozen=True, slots=True)
class Submit:
    """Send the append of a window whose intent is recorded; the answer is an operation id."""

    window: WindowStatus
    database: str
    command: str


@dataclass(frozen=True, slots=True)
class LookUpTag:
    """Ask whether the table has an extent with this window's ingest-by tag."""

    database: str
    table: str
    token: str


@dataclass(frozen=True, slots=True)
class Cancel:
    """Cancel an operation; Kusto may finish it all the same."""

    database: str
    operation_id: str


@dataclass(frozen=True, slots=True)
class AdvanceSpec:
    """Show the cursor: ``spec.backfill.start`` and the oldest operation (None: none), at ``at``."""

    start: Instant
    operation_id: str | None
    at: Instant


@dataclass(frozen=True, slots=True)
class YieldOwnership:
    """Free the range of its managers (``ownership.yielded``), so that a re-apply passes."""


@dataclass(frozen=True, slots=True)
class RemoveBackfill:
    """Remove ``spec.backfill`` and the finalizer with it: the backfill is done."""


@dataclass(frozen=True, slots=True)
class SetFinalizer:
    """Add or remove the finalizer that holds a deletion until operations are cancelled."""

    present: bool


@dataclass(frozen=True, slots=True)
class DropActs:
    """Take away act annotations that status has recorded."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Announce:
    """Emit an Event on the rule."""

    type: Literal["Normal", "Warning"]
    reason: str
    message: str


Action = (
    RecordStatus
    | Submit
    | LookUpTag
    | Cancel
    | AdvanceSpec
    | YieldOwnership
    | RemoveBackfill
    | SetFinalizer
    | DropActs
    | Announce
)
