"""What a worker was started with, as far as decisions depend on it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from summaryrule.duration import Duration

OPERATOR_NAME = "summaryrule-operator"
_SECOND = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Settings:
    """The worker's bounds and its place in the world.

    ``endpoints`` gives the Kusto endpoint of each database; ``labels`` are the cluster labels.
    A window that is due within ``brief_wait`` has its intent recorded ahead.
    A window that is done within ``show_after`` is not shown in spec by itself, only every
    ``show_lag``-th, and a worker shows one rule's at most every ``show_pace``: each showing
    leaves a moment in which a server-side apply conflicts.
    """

    endpoints: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    owner: str = OPERATOR_NAME
    adopt_unowned: bool = True
    mode: Literal["all", "backfill"] = "all"
    interval_in_flight: int = 4
    failed_limit: int = 48
    max_attempts: int = 5
    retry_base: Duration = Duration(5 * _SECOND)
    retry_cap: Duration = Duration(300 * _SECOND)
    log_lag: Duration = Duration(120 * _SECOND)
    cancel_wait: Duration = Duration(60 * _SECOND)
    brief_wait: Duration = Duration(900 * _SECOND)
    show_after: Duration = Duration(2 * _SECOND)
    show_lag: int = 8
    show_pace: Duration = Duration(5 * _SECOND)
