"""The rules that both CEL and Python judge are one rule.

Google's CEL in C++ stands for the API server's in Go. It has no ``replace``, so the wording of
``IS_BARE`` is left to the tests against a real server; its ``duration()`` knows no µ, takes long
fractions for infinite, and keeps quarters of a nanosecond.
"""

import re
from functools import lru_cache
from typing import Any

import pytest
from cel_expr_python import cel
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from summaryrule import rules
from tests.domain.laws.strategies import (
    durations_and_near_misses,
    names,
    times_and_near_misses,
)

TEXT_RULES = {
    "interval": rules.IS_INTERVAL,
    "delay": rules.IS_DELAY,
    "time": rules.IS_TIME,
    "bare": rules.IS_BARE,
    "name": rules.IS_NAME,
}
MANY = settings(max_examples=400)
_UNLIKE_GO = re.compile(r"[.][0-9]{16}|[.][0-9]*ns")


@lru_cache
def _compiled(expression: str, *, is_map: bool) -> Any:
    kind = cel.Type.DYN if is_map else cel.Type.STRING
    return cel.NewEnv(variables={"self": kind}).compile(expression)


def _holds(rule: rules.Rule, value: Any) -> bool:
    result = _compiled(rule.cel, is_map=isinstance(value, dict)).eval(data={"self": value})
    assert result.type() == cel.Type.BOOL, f"{value!r}: {result.value()}"
    return bool(result.value())


@MANY
@given(durations_and_near_misses)
def test_cel_and_python_agree_on_every_duration(text: str) -> None:
    assume(len(text) <= rules.DURATION_LIMIT and not _UNLIKE_GO.search(text))
    for rule in (rules.IS_INTERVAL, rules.IS_DELAY):
        assert _holds(rule, text) == rule.holds(text), text


@MANY
@given(times_and_near_misses)
def test_cel_and_python_agree_on_every_time(text: str) -> None:
    assert _holds(rules.IS_TIME, text) == rules.IS_TIME.holds(text), text


@MANY
@given(names)
def test_cel_and_python_agree_on_every_name(text: str) -> None:
    assume(len(text) <= rules.NAME_LIMIT)  # the schema's maxLength comes first
    for rule in (rules.IS_NAME, rules.IS_BARE):
        assert _holds(rule, text) == rule.holds(text), text


@MANY
@given(times_and_near_misses, times_and_near_misses)
def test_cel_and_python_agree_on_the_order_of_a_range(start: str, end: str) -> None:
    backfill = {"start": start, "end": end}
    assert _holds(rules.IS_ORDERED, backfill) == rules.IS_ORDERED.holds(backfill)


@pytest.mark.parametrize("field", ["startTime", "endTime", "requestId"])
def test_cel_and_python_agree_on_upstreams_fields(field: str) -> None:
    backfill = {"start": "2026-11-01T00:00:00Z", "end": "2026-11-02T00:00:00Z", field: "x"}
    assert _holds(rules.IS_OURS, backfill) == rules.IS_OURS.holds(backfill)


_LONGEST = [
    ("99999h" * 10, True),
    ("9999999m" * 8, True),
    ("999999999s" * 6, True),
    ("999999h", False),
    ("0" * 60 + "1h", True),
]


@pytest.mark.parametrize(("text", "holds"), _LONGEST)
def test_no_duration_that_fits_is_an_error_in_cel(text: str, *, holds: bool) -> None:
    assert len(text) <= rules.DURATION_LIMIT
    assert rules.IS_INTERVAL.holds(text) is holds
    assert _holds(rules.IS_INTERVAL, text) is holds


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
    assert rules.IS_TIME.holds(text) is holds
    assert _holds(rules.IS_TIME, text) is holds
    assert _holds(rules.IS_ORDERED, {"start": text, "end": "2026-11-24T00:00:00Z"}) == (
        rules.IS_ORDERED.holds({"start": text, "end": "2026-11-24T00:00:00Z"})
    )


@given(st.text(max_size=200_000))
def test_a_text_beyond_the_limit_is_refused_without_being_read(text: str) -> None:
    assert not rules.IS_INTERVAL.holds("0" * rules.DURATION_LIMIT + text + "1h")
    assert not rules.IS_TIME.holds("2" * rules.INSTANT_LIMIT + text)
