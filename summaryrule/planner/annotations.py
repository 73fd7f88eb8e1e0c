"""The retry and skip annotations: what they ask for, and how they are applied.

The retry annotation is ``all`` or a list of window starts, the skip annotation a list of window
starts, separated by commas or white space. The worker applies an annotation to failed windows,
records the result in status, and then removes the annotation.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from summaryrule.api.constants import RETRY_ANNOTATION, SKIP_ANNOTATION
from summaryrule.api.instant import Instant
from summaryrule.api.v1 import SummaryRule, WindowStatus
from summaryrule.api.validation_rules import read_instant

_SEPARATOR = re.compile(r"[\s,]+")


def starts_to_skip(rule: SummaryRule) -> frozenset[Instant]:
    """The window starts that the skip annotation names; ``all`` has no meaning there."""
    return _parse_starts(rule.metadata.annotations.get(SKIP_ANNOTATION))


@dataclass(frozen=True, slots=True)
class AddressableWindows:
    """The windows that an annotation can name; ``is_pending`` takes the start of a window."""

    failed: tuple[WindowStatus, ...]
    in_flight: tuple[WindowStatus, ...]
    skipped: tuple[WindowStatus, ...]
    is_pending: Callable[[Instant], bool]


def has_retry_request(rule: SummaryRule) -> bool:
    """Whether the rule has the retry annotation."""
    return bool(rule.metadata.annotations.get(RETRY_ANNOTATION))


def present(rule: SummaryRule) -> tuple[str, ...]:
    """The names of the retry and skip annotations that the rule has."""
    return tuple(
        name for name in (RETRY_ANNOTATION, SKIP_ANNOTATION) if name in rule.metadata.annotations
    )


@dataclass(frozen=True, slots=True)
class AnnotationResult:
    """Failed windows, by what the annotations ask for."""

    kept: tuple[WindowStatus, ...]
    retried: tuple[WindowStatus, ...]
    skipped: tuple[WindowStatus, ...]


def apply(
    rule: SummaryRule, failed: Iterable[WindowStatus], *, may_retry: bool
) -> AnnotationResult:
    """Divide failed windows into those that stay failed, those to retry, and those to skip.

    Without ``may_retry`` the retry annotation is ignored for now.
    """
    windows = tuple(failed)
    retry = rule.metadata.annotations.get(RETRY_ANNOTATION, "") if may_retry else ""
    is_all, to_retry, to_skip = retry.strip() == "all", _parse_starts(retry), starts_to_skip(rule)
    retried = [window for window in windows if is_all or window.start in to_retry]
    skipped = [window for window in windows if window not in retried and window.start in to_skip]
    kept = [window for window in windows if window not in retried and window not in skipped]
    return AnnotationResult(tuple(kept), tuple(retried), tuple(skipped))


def unmatched(rule: SummaryRule, windows: AddressableWindows) -> Iterator[tuple[str, str]]:
    """The entries that match no window, as pairs of an annotation and its entries.

    A window in flight matches a retry: if the worker crashed between recording the retry and
    removing the annotation, the window is in flight again.
    """
    annotations = rule.metadata.annotations
    to_retry = {window.start for window in (*windows.failed, *windows.in_flight)}
    to_skip = {window.start for window in (*windows.failed, *windows.skipped)}
    retry, skip = annotations.get(RETRY_ANNOTATION), annotations.get(SKIP_ANNOTATION)
    if (retry or "").strip() == "all":
        if not to_retry:
            yield RETRY_ANNOTATION, "all"
    elif entries := _unknown_entries(retry, to_retry.__contains__):
        yield RETRY_ANNOTATION, entries
    if entries := _unknown_entries(skip, lambda at: at in to_skip or windows.is_pending(at)):
        yield SKIP_ANNOTATION, entries


def _unknown_entries(annotation: str | None, is_known: Callable[[Instant], bool]) -> str:
    """The entries of an annotation that are not the start of a known window."""
    if annotation is None:
        return ""
    starts = {entry: read_instant(entry) for entry in _SEPARATOR.split(annotation) if entry}
    unknown = [entry for entry, start in starts.items() if start is None or not is_known(start)]
    return ", ".join(unknown) if starts else "nothing"


def reset_attempts(window: WindowStatus) -> WindowStatus:
    """The window as an intent with its first attempt.

    It keeps its token: if an earlier attempt did append data, Kusto drops the repeat.
    """
    changes = {"attempt": 1, "operation_id": None, "submitted_at": None}
    return window.model_copy(update=changes)


def _parse_starts(annotation: str | None) -> frozenset[Instant]:
    entries = _SEPARATOR.split(annotation or "")
    return frozenset(start for start in map(read_instant, entries) if start is not None)
