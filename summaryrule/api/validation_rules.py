"""The validation rules of the API, each as CEL and as Python.

The CRD has them as ``x-kubernetes-validations``, so that the API server applies them while the
webhook is down. The webhook and ``webhook review`` apply them in Python, with the same messages. A
test checks that the CEL and the Python of each rule agree.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from summaryrule.api.duration import Duration, InvalidDurationError
from summaryrule.api.instant import Instant, InvalidInstantError

# The white space that Go's strings.TrimSpace removes.
_GO_SPACE: Final = "\t\n\v\f\r \u0085\u00a0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(
    map(chr, range(0x2000, 0x200B))
)


@dataclass(frozen=True, slots=True)
class ValidationRule:
    """One rule, with one message.

    Attributes:
        cel: the rule for the API server; ``self`` is the value.
        message: what is wrong and what to write.
        check: the rule in Python; it takes the JSON value that CEL calls ``self``.
        field: the field of the value that a violation names; empty for the value itself.
        message_expression: CEL for a message that quotes the value.
        format_message: ``message_expression`` in Python.
        is_required: whether a violation means that ``field`` is missing.
    """

    cel: str
    message: str
    check: Callable[[Any], bool]
    field: str = ""
    message_expression: str = ""
    format_message: Callable[[Any], str] | None = None
    is_required: bool = False

    def message_for(self, value: Any) -> str:  # noqa: ANN401 - JSON
        """The message for ``value``, as the API server prints it."""
        if self.format_message is None:
            return self.message
        text = self.format_message(value).strip(_GO_SPACE)
        # NB: kube-apiserver (1.37) ignores a messageExpression that gives several lines.
        return text if text and "\n" not in text else self.message

    def as_validation(self) -> dict[str, Any]:
        """The entry for ``x-kubernetes-validations``."""
        entry = {"rule": self.cel, "message": self.message}
        if self.message_expression:
            entry["messageExpression"] = self.message_expression
        if self.field:
            entry["fieldPath"] = f".{self.field}"
        if self.is_required:
            entry["reason"] = "FieldValueRequired"
        return entry


def _number(digits: int) -> str:
    return rf"(0*[0-9]{{1,{digits}}}([.][0-9]*)?|[.][0-9]+)"


DURATION_LIMIT: Final = 64
INSTANT_LIMIT: Final = 40
NAME_LIMIT: Final = 1024

# NB: for more than Go's int64 of nanoseconds (292 years), CEL's duration() fails with a conversion
# error instead of the rule's message (kube-apiserver 1.37.2). With at most these digits in each
# unit, a text of DURATION_LIMIT characters stays below that.
_UNITS: Final = {5: "h", 7: "m", 9: "s", 12: "ms", 15: "(us|µs|μs)", 18: "ns"}
GO_DURATION: Final = (
    "^[-+]?(0|(" + "|".join(_number(digits) + unit for digits, unit in _UNITS.items()) + ")+)$"
)
_LEAP = "([0-9][0-9](0[48]|[2468][048]|[13579][26])|(0[48]|[2468][048]|[13579][26])00)"
_YEAR = "([1-9][0-9]{3}|0[1-9][0-9]{2}|00[1-9][0-9]|000[1-9])"
_MONTH_DAY = "((0[13578]|1[02])-31|(0[13-9]|1[0-2])-(29|30)|(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8]))"
_CLOCK = "T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]([.][0-9]{1,7})?"
_ZONE = "(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])"
RFC3339: Final = f"^({_YEAR}-{_MONTH_DAY}|{_LEAP}-02-29){_CLOCK}{_ZONE}$"
# The schema's maxLength limits the length: RE2 allows at most 1,000 repetitions.
_NAME: Final = "^[A-Za-z0-9_. -]+$"

# NB: an offset could move a time on the first or the last day out of the years that CEL's
# timestamp() and Kusto accept, again a conversion error. On these days only Z is accepted.
_EDGES: Final = ("0001-01-01", "9999-12-31")

_go_duration = re.compile(GO_DURATION)
_rfc3339 = re.compile(RFC3339)
_name = re.compile(_NAME)
_MINUTE: Final = Duration.parse("1m")
_ZERO: Final = Duration(0)


def read_duration(text: str) -> Duration | None:
    """The text as a duration; None if the API refuses it."""
    return _read_duration(text) if len(text) <= DURATION_LIMIT else None


@lru_cache(maxsize=1024)
def _read_duration(text: str) -> Duration | None:
    if _go_duration.fullmatch(text) is None:
        return None
    try:
        return Duration.parse(text)
    except InvalidDurationError:
        return None


def read_instant(text: str) -> Instant | None:
    """The text as an instant; None if the API refuses it."""
    return _read_instant(text) if len(text) <= INSTANT_LIMIT else None


@lru_cache(maxsize=1024)
def _read_instant(text: str) -> Instant | None:
    if _rfc3339.fullmatch(text) is None:
        return None
    if text.startswith(_EDGES) and not text.endswith("Z"):
        return None
    try:
        return Instant.parse(text)
    except InvalidInstantError:
        return None


@lru_cache(maxsize=1024)
def _read_interval(text: str) -> Duration | None:
    duration = read_duration(text)
    return duration if duration is not None and duration >= _MINUTE else None


def read_interval(text: str) -> Duration | None:
    """The text as an interval of at least a minute; None if the API refuses it."""
    return _read_interval(text) if len(text) <= DURATION_LIMIT else None


@lru_cache(maxsize=1024)
def _read_delay(text: str) -> Duration | None:
    duration = _ZERO if text == "" else read_duration(text)
    return duration if duration is not None and duration >= _ZERO else None


def read_delay(text: str) -> Duration | None:
    """The text as a delay, zero for an empty text; None if the API refuses it."""
    return _read_delay(text) if len(text) <= DURATION_LIMIT else None


def _is_time(value: str) -> str:
    """CEL that is true if ``value``, which is CEL too, is a time that ``read_instant`` reads."""
    edges = " || ".join(f"{value}.startsWith('{edge}')" for edge in _EDGES)
    return f"({value}.matches('{RFC3339}') && ({value}.endsWith('Z') || !({edges})))"


def _is_name(text: str) -> bool:
    return bool(
        len(text) <= NAME_LIMIT
        and _name.fullmatch(text)
        and text.strip(" ")
        and not text.startswith("__")
        and not text.endswith("__")
    )


def _without_brackets(text: str) -> str:
    for mark in ("['", "']", '["', '"]'):
        text = text.replace(mark, "")
    return text


def _is_ordered(backfill: dict[str, Any]) -> bool:
    start, end = read_instant(backfill["start"]), read_instant(backfill["end"])
    return start is None or end is None or start < end


VALID_INTERVAL: Final = ValidationRule(
    cel=f"self.matches('{GO_DURATION}') && duration(self) >= duration('1m')",
    message="must be a Go duration of at least 1m, such as 15m, 1h or 1h30m"
    " (there is no unit for days: write 24h for one day)",
    check=lambda text: read_interval(text) is not None,
)
VALID_DELAY: Final = ValidationRule(
    cel=f"self == '' || (self.matches('{GO_DURATION}') && duration(self) >= duration('0s'))",
    message="must be a Go duration of 0s or more, such as 5m or 1h"
    " (there is no unit for days: write 24h for one day)",
    check=lambda text: read_delay(text) is not None,
)
VALID_TIME: Final = ValidationRule(
    cel=_is_time("self"),
    message="must be an RFC 3339 time with an upper-case T, an upper-case Z or an offset, and at"
    " most 7 fraction digits, such as 2026-01-31T13:00:00Z",
    check=lambda text: read_instant(text) is not None,
)
NO_BRACKETS: Final = ValidationRule(
    cel="!self.startsWith('[')",
    message="must be the bare name, without brackets and quotes: the worker adds them",
    message_expression="'must be the bare name, the worker adds brackets and quotes: write '"
    " + self.replace(\"['\", '').replace(\"']\", '').replace('[\"', '').replace('\"]', '')",
    check=lambda text: not text.startswith("["),
    format_message=lambda text: (
        "must be the bare name, the worker adds brackets and quotes: write "
        + _without_brackets(text)
    ),
)
VALID_NAME: Final = ValidationRule(
    cel=f"self.startsWith('[') || (self.matches('{_NAME}') && self.matches('[^ ]')"
    " && !self.startsWith('__') && !self.endsWith('__'))",
    message="must be 1 to 1024 ASCII letters, digits, spaces, '_', '.' or '-', not blank, and not"
    " begin or end with '__', which Kusto reserves",
    check=lambda text: text.startswith("[") or _is_name(text),
)
# NB: the API server (1.37) ignores a violation in an unchanged value, but not a CEL error in it:
# without has(), a backfill stored before start was required would make each later write fail.
START_BEFORE_END: Final = ValidationRule(
    cel="!has(self.start) || !has(self.end)"
    f" || !{_is_time('self.start')} || !{_is_time('self.end')}"
    " || timestamp(self.start) < timestamp(self.end)",
    message="must be before spec.backfill.end: the range is half-open, [start, end)",
    message_expression="'start ' + self.start + ' must be before end ' + self.end"
    " + ': the range is half-open, [start, end); write an earlier start or a later end'",
    check=_is_ordered,
    field="start",
    format_message=lambda backfill: (
        f"start {backfill['start']} must be before end {backfill['end']}"
        ": the range is half-open, [start, end); write an earlier start or a later end"
    ),
)
HAS_START: Final = ValidationRule(
    cel="has(self.start) || has(self.startTime)",
    message="write the start of the range, an RFC 3339 time such as 2026-01-31T13:00:00Z",
    check=lambda backfill: "start" in backfill or "startTime" in backfill,
    field="start",
    is_required=True,
)
HAS_END: Final = ValidationRule(
    cel="has(self.end) || has(self.endTime)",
    message="write the end of the range, an RFC 3339 time such as 2026-01-31T14:00:00Z",
    check=lambda backfill: "end" in backfill or "endTime" in backfill,
    field="end",
    is_required=True,
)
BACKFILL_RULES: Final = (HAS_START, HAS_END, START_BEFORE_END)
