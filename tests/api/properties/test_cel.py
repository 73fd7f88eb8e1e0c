"""The CEL and the Python of each validation rule agree.

The test uses Google's CEL in C++; the API server has CEL in Go. The one in C++ has no ``replace``,
so the message of ``NO_BRACKETS`` is tested on a real API server. Its ``duration()`` does not accept
µ, takes long fractions as infinite, and keeps quarters of a nanosecond.
"""

import re
from functools import lru_cache
from typing import Any

import pytest
from cel_expr_python import cel
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from summaryrule.api import validation_rules
from tests.api.properties.strategies import (
    durations_and_near_misses,
    names,
    times_and_near_misses,
)

TEXT_RULES = {
    "interval": validation_rules.VALID_INTERVAL,
    "delay": validation_rules.VALID_DELAY,
    "time": validation_rules.VALID_TIME,
    "bare": validation_rules.NO_BRACKETS,
    "name": validation_rules.VALID_NAME,
}
MANY = settings(max_examples=400)
_UNLIKE_GO = re.compile(r"[.][0-9]{16}|[.][0-9]*ns")


@lru_cache
def _compiled(expression: str, *, is_map: bool) -> Any:
    kind = cel.Type.DYN if is_map else cel.Type.STRING
    return cel.NewEnv(variables={"self": kind}).compile(expression)


def _holds(rule: validation_rules.ValidationRule, value: Any) -> bool:
    result = _compiled(rule.cel, is_map=isinstance(value, dict)).eval(data={"self": value})
    assert result.type() == cel.Type.BOOL, f"{value!r}: {result.value()}"
    return bool(result.value())


@MANY
@given(durations_and_near_misses)
def test_cel_and_python_agree_on_every_duration(text: str) -> None:
    assume(len(text) <= validation_rules.DURATION_LIMIT and not _UNLIKE_GO.search(text))
    for rule in (validation_rules.VALID_INTERVAL, validation_rules.VALID_DELAY):
        assert _holds(rule, text) == rule.check(text), text


@MANY
@given(times_and_near_misses)
def test_cel_and_python_agree_on_every_time(text: str) -> None:
    assert _holds(validation_rules.VALID_TIME, text) == validation_rules.VALID_TIME.check(text), (
        text
    )


@MANY
@given(names)
def test_cel_and_python_agree_on_every_name(text: str) -> None:
    assume(len(text) <= validation_rules.NAME_LIMIT)  # the schema's maxLength comes first
    for rule in (validation_rules.VALID_NAME, validation_rules.NO_BRACKETS):
        assert _holds(rule, text) == rule.check(text), text


@MANY
@given(times_and_near_misses, times_and_near_misses)
def test_cel_and_python_agree_on_the_order_of_a_range(start: str, end: str) -> None:
    backfill = {"start": start, "end": end}
    assert _holds(
        validation_rules.START_BEFORE_END, backfill
    ) == validation_rules.START_BEFORE_END.check(backfill)


@pytest.mark.parametrize("rule", [validation_rules.HAS_START, validation_rules.HAS_END])
@pytest.mark.parametrize("field", ["start", "end", "startTime", "endTime", "requestId"])
def test_cel_and_python_agree_on_a_missing_bound(
    field: str, rule: validation_rules.ValidationRule
) -> None:
    backfill = {field: "2026-11-01T00:00:00Z"}
    assert _holds(rule, backfill) == rule.check(backfill)


_LONGEST = [
    ("99999h" * 10, True),
    ("9999999m" * 8, True),
    ("999999999s" * 6, True),
    ("999999h", False),
    ("0" * 60 + "1h", True),
]


@pytest.mark.parametrize(("text", "holds"), _LONGEST)
def test_no_duration_that_fits_is_an_error_in_cel(text: str, *, holds: bool) -> None:
    assert len(text) <= validation_rules.DURATION_LIMIT
    assert validation_rules.VALID_INTERVAL.check(text) is holds
    assert _holds(validation_rules.VALID_INTERVAL, text) is holds


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("0001-01-01T00:00:00Z", True),
        ("0001-01-01T00:00:00+01:00", False),
        ("9999-12-31T23:59:59.9999999Z", True),
        ("9999-12-31T23:59:59-00:01", False),
        ("0001-01-02T00:00:00+23:59", True),
    ],
)
def test_the_edges_of_time_are_no_error_in_cel(text: str, *, holds: bool) -> None:
    assert validation_rules.VALID_TIME.check(text) is holds
    assert _holds(validation_rules.VALID_TIME, text) is holds
    assert _holds(
        validation_rules.START_BEFORE_END, {"start": text, "end": "2026-11-24T00:00:00Z"}
    ) == (validation_rules.START_BEFORE_END.check({"start": text, "end": "2026-11-24T00:00:00Z"}))


@given(st.text(max_size=200_000))
def test_a_text_beyond_the_limit_is_refused_without_being_read(text: str) -> None:
    assert not validation_rules.VALID_INTERVAL.check(
        "0" * validation_rules.DURATION_LIMIT + text + "1h"
    )
    assert not validation_rules.VALID_TIME.check("2" * validation_rules.INSTANT_LIMIT + text)
