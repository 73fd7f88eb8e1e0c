"""Acts on windows that failed: the retry and skip annotations, read and applied.

A person writes ``adx-mon.azure.com/backfill-retry: all`` (or window starts) or
``…/backfill-skip: <starts>``; the worker applies it to failed windows, records that in status,
and then takes the annotation away (design, section 4).
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from summaryrule.instant import Instant
from summaryrule.rules import read_instant
from summaryrule.v1 import RETRY, SKIP, SummaryRule, WindowStatus

_SEPARATOR = re.compile(r"[\s,]+")


def asks_retry(rule: SummaryRule, window: WindowStatus) -> bool:
    """Whether the retry annotation names this window."""
    return _names(rule.metadata.annotations.get(RETRY), window, everything=True)


def asks_skip(rule: SummaryRule, window: WindowStatus) -> bool:
    """Whether the skip annotation names this window; it has no ``all``."""
    return _names(rule.metadata.annotations.get(SKIP), window, everything=False)


def named_to_skip(rule: SummaryRule) -> frozenset[Instant]:
    """The window starts that the skip annotation names."""
    return _starts(rule.metadata.annotations.get(SKIP))


def wants_retry(rule: SummaryRule) -> bool:
    """Whether a retry of any kind is asked for."""
    return bool(rule.metadata.annotations.get(RETRY))


def pending(rule: SummaryRule) -> tuple[str, ...]:
    """The act annotations on the rule, to be taken away once recorded."""
    return tuple(name for name in (RETRY, SKIP) if name in rule.metadata.annotations)


@dataclass(frozen=True, slots=True)
class Sorted:
    """Failed windows by what the annotations ask for."""

    stay: tuple[WindowStatus, ...]
    again: tuple[WindowStatus, ...]
    skipped: tuple[WindowStatus, ...]


def apply(rule: SummaryRule, failed: Iterable[WindowStatus]) -> Sorted:
    """Sort failed windows into those that stay, fresh intents of those retried, and skipped.

    A fresh intent keeps its token, so that data of an attempt that went through after all is
    not doubled.
    """
    windows = tuple(failed)
    again = [window for window in windows if asks_retry(rule, window)]
    skipped = [window for window in windows if window not in again and asks_skip(rule, window)]
    stay = [window for window in windows if window not in again and window not in skipped]
    return Sorted(tuple(stay), tuple(map(fresh, again)), tuple(skipped))


def fresh(window: WindowStatus) -> WindowStatus:
    """The window's intent again, with its attempts counted from one."""
    changes = {"attempt": 1, "operation_id": None, "submitted_at": None}
    return window.model_copy(update=changes)


def _names(annotation: str | None, window: WindowStatus, *, everything: bool) -> bool:
    if annotation is None:
        return False
    is_all = everything and annotation.strip() == "all"
    return is_all or window.start in _starts(annotation)


def _starts(annotation: str | None) -> frozenset[Instant]:
    words = _SEPARATOR.split(annotation or "")
    return frozenset(start for start in map(read_instant, words) if start is not None)
