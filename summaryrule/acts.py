"""Acts on windows that failed: the retry and skip annotations, read and applied.

A person writes ``adx-mon.azure.com/backfill-retry: all`` (or window starts) or
``…/backfill-skip: <starts>``; the worker applies it to failed windows, records that in status,
and then takes the annotation away (design, section 4).
"""

import re
from collections.abc import Callable, Iterable, Iterator
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


@dataclass(frozen=True, slots=True)
class Windows:
    """The windows that an annotation can name; ``waits`` tells one that is still to run."""

    failed: tuple[WindowStatus, ...]
    flying: tuple[WindowStatus, ...]
    skipped: tuple[WindowStatus, ...]
    waits: Callable[[Instant], bool]


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


def apply(rule: SummaryRule, failed: Iterable[WindowStatus], *, may_retry: bool) -> Sorted:
    """Sort failed windows into those that stay, those to be retried, and those skipped.

    Where a retry may not be yet, its annotation is kept (``phase.keeps_retry``).
    """
    windows = tuple(failed)
    again = [window for window in windows if may_retry and asks_retry(rule, window)]
    skipped = [window for window in windows if window not in again and asks_skip(rule, window)]
    stay = [window for window in windows if window not in again and window not in skipped]
    return Sorted(tuple(stay), tuple(again), tuple(skipped))


def idle(rule: SummaryRule, windows: Windows) -> Iterator[tuple[str, str]]:
    """What the annotations name in vain: each annotation, and its words that name no window.

    A window that is in flight counts as retried: so it is, if the worker died after it had
    recorded the retry and before it took the annotation away.
    """
    annotations = rule.metadata.annotations
    again = {window.start for window in (*windows.failed, *windows.flying)}
    out = {window.start for window in (*windows.failed, *windows.skipped)}
    if annotations.get(RETRY, "").strip() == "all":
        if not again:
            yield RETRY, "all"
    elif words := _strange(annotations.get(RETRY), lambda start: start in again):
        yield RETRY, words
    if words := _strange(annotations.get(SKIP), lambda at: at in out or windows.waits(at)):
        yield SKIP, words


def _strange(annotation: str | None, known: Callable[[Instant], bool]) -> str:
    """The words of an annotation that are no window's start."""
    if annotation is None:
        return ""
    starts = {word: read_instant(word) for word in _SEPARATOR.split(annotation) if word}
    strange = [word for word, start in starts.items() if start is None or not known(start)]
    return ", ".join(strange) if starts else "nothing"


def fresh(window: WindowStatus) -> WindowStatus:
    """The window's intent again, with its attempts counted from one.

    It keeps its token, so that data of an attempt that went through after all is not doubled.
    """
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
