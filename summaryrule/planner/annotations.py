"""Acts on windows that failed: the retry and skip annotations, read and applied.

A person writes ``adx-mon.azure.com/backfill-retry: all`` (or window starts) or
``…/backfill-skip: <starts>``; the worker applies it to failed windows, records that in status,
and then takes the annotation away (design, section 4).
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from summaryrule.api.constants import RETRY_ANNOTATION, SKIP_ANNOTATION
from summaryrule.api.instant import Instant
from summaryrule.api.v1 import SummaryRule, WindowStatus
from summaryrule.api.validation_rules import read_instant

_SEPARATOR = re.compile(r"[\s,]+")


def is_retry_requested(rule: SummaryRule, window: WindowStatus) -> bool:
    """Whether the retry annotation names this window."""
    return _matches(rule.metadata.annotations.get(RETRY_ANNOTATION), window, everything=True)


def is_skip_requested(rule: SummaryRule, window: WindowStatus) -> bool:
    """Whether the skip annotation names this window; it has no ``all``."""
    return _matches(rule.metadata.annotations.get(SKIP_ANNOTATION), window, everything=False)


def starts_to_skip(rule: SummaryRule) -> frozenset[Instant]:
    """The window starts that the skip annotation names."""
    return _parse_starts(rule.metadata.annotations.get(SKIP_ANNOTATION))


@dataclass(frozen=True, slots=True)
class AddressableWindows:
    """The windows that an annotation can name; ``waits`` tells one that is still to run."""

    failed: tuple[WindowStatus, ...]
    in_flight: tuple[WindowStatus, ...]
    skipped: tuple[WindowStatus, ...]
    is_pending: Callable[[Instant], bool]


def has_retry_request(rule: SummaryRule) -> bool:
    """Whether a retry of any kind is asked for."""
    return bool(rule.metadata.annotations.get(RETRY_ANNOTATION))


def present(rule: SummaryRule) -> tuple[str, ...]:
    """The act annotations on the rule, to be taken away once recorded."""
    return tuple(
        name for name in (RETRY_ANNOTATION, SKIP_ANNOTATION) if name in rule.metadata.annotations
    )


@dataclass(frozen=True, slots=True)
class AnnotationResult:
    """Failed windows by what the annotations ask for."""

    kept: tuple[WindowStatus, ...]
    retried: tuple[WindowStatus, ...]
    skipped: tuple[WindowStatus, ...]


def apply(
    rule: SummaryRule, failed: Iterable[WindowStatus], *, may_retry: bool
) -> AnnotationResult:
    """Sort failed windows into those that stay, those to be retried, and those skipped.

    Where a retry may not be yet, its annotation is kept (``phase.keeps_retry``).
    """
    windows = tuple(failed)
    again = [window for window in windows if may_retry and is_retry_requested(rule, window)]
    skipped = [
        window for window in windows if window not in again and is_skip_requested(rule, window)
    ]
    stay = [window for window in windows if window not in again and window not in skipped]
    return AnnotationResult(tuple(stay), tuple(again), tuple(skipped))


def unmatched(rule: SummaryRule, windows: AddressableWindows) -> Iterator[tuple[str, str]]:
    """What the annotations name in vain: each annotation, and its words that name no window.

    A window that is in flight counts as retried: so it is, if the worker died after it had
    recorded the retry and before it took the annotation away.
    """
    annotations = rule.metadata.annotations
    again = {window.start for window in (*windows.failed, *windows.in_flight)}
    out = {window.start for window in (*windows.failed, *windows.skipped)}
    if annotations.get(RETRY_ANNOTATION, "").strip() == "all":
        if not again:
            yield RETRY_ANNOTATION, "all"
    elif words := _unknown_entries(annotations.get(RETRY_ANNOTATION), lambda start: start in again):
        yield RETRY_ANNOTATION, words
    if words := _unknown_entries(
        annotations.get(SKIP_ANNOTATION), lambda at: at in out or windows.is_pending(at)
    ):
        yield SKIP_ANNOTATION, words


def _unknown_entries(annotation: str | None, known: Callable[[Instant], bool]) -> str:
    """The words of an annotation that are no window's start."""
    if annotation is None:
        return ""
    starts = {word: read_instant(word) for word in _SEPARATOR.split(annotation) if word}
    strange = [word for word, start in starts.items() if start is None or not known(start)]
    return ", ".join(strange) if starts else "nothing"


def reset_attempts(window: WindowStatus) -> WindowStatus:
    """The window's intent again, with its attempts counted from one.

    It keeps its token, so that data of an attempt that went through after all is not doubled.
    """
    changes = {"attempt": 1, "operation_id": None, "submitted_at": None}
    return window.model_copy(update=changes)


def _matches(annotation: str | None, window: WindowStatus, *, everything: bool) -> bool:
    if annotation is None:
        return False
    is_all = everything and annotation.strip() == "all"
    return is_all or window.start in _parse_starts(annotation)


def _parse_starts(annotation: str | None) -> frozenset[Instant]:
    words = _SEPARATOR.split(annotation or "")
    return frozenset(start for start in map(read_instant, words) if start is not None)
