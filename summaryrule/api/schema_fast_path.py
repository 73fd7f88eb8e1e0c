"""Recognises the spec that most people write, without building a model of it.

``validation.review`` asks before it asks ``schema``: admission judges an object many times as
often as it refuses one, and a model costs several times these comparisons (docs/benchmarks.md).
What is plain breaks no rule of the schema; what is not may still be fine, and the models say. A
test holds the two together.
"""

import re
from typing import Any, Final

from summaryrule.admission.context import AdmissionContext
from summaryrule.api import validation_rules

# Narrower than IS_NAME, so that one match decides.
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,254}(?<!__)")
_MOST_IN_FLIGHT: Final = 20
_SPEC: Final = frozenset(
    "database table body interval ingestionDelay criteriaExpression suspend backfill".split()  # noqa: SIM905 - names in a row
)
_BACKFILL: Final = frozenset({"start", "end", "requestId", "maxInFlight", "suspend"})


def is_plain(case: AdmissionContext) -> bool:
    """Whether the new spec surely is what the schema takes; false where it is not obvious."""
    spec = case.spec
    return (
        spec.keys() <= _SPEC
        and case.interval is not None
        and _is_name(spec.get("database"))
        and _is_name(spec.get("table"))
        and _is_text(spec.get("body"))
        and _is_delay(spec.get("ingestionDelay", "0s"))
        and _is_text(spec.get("criteriaExpression", "true"), 8192)
        and type(spec.get("suspend", False)) is bool
        and ("backfill" not in spec or _is_plain_backfill(case))
    )


def _is_plain_backfill(case: AdmissionContext) -> bool:
    backfill, start, end = case.backfill, case.start, case.end
    return (
        backfill.keys() <= _BACKFILL
        and start is not None
        and end is not None
        and start.ticks < end.ticks
        and _is_text(backfill.get("requestId", "none"), 253)
        and _is_few(backfill.get("maxInFlight", 1))
        and type(backfill.get("suspend", False)) is bool
    )


def _is_text(value: Any, most: int = 1 << 31) -> bool:  # noqa: ANN401 - JSON
    # Only ASCII, since a lone surrogate is a str and no text.
    return type(value) is str and 0 < len(value) <= most and value.isascii()


def _is_name(value: Any) -> bool:  # noqa: ANN401 - JSON
    return type(value) is str and _NAME.fullmatch(value) is not None


def _is_delay(value: Any) -> bool:  # noqa: ANN401 - JSON
    return type(value) is str and validation_rules.read_delay(value) is not None


def _is_few(value: Any) -> bool:  # noqa: ANN401 - JSON
    return type(value) is int and 1 <= value <= _MOST_IN_FLIGHT
