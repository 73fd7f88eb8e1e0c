"""What kubectl prints for a manifest that is refused: each violation in its own field.

Times are written relative to now, since admission judges by the clock. `--dry-run=server` passes
every stage and stores nothing.
"""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from devstack.stack import Stack
from summaryrule.api.instant import TICKS_PER_DAY, Instant
from summaryrule.api.windows import ceil, floor
from tests.e2e.fixtures import HOUR, backfill, hours_ago, now
from tests.e2e.kubectl import Kubectl, Said
from tests.e2e.manifests import END, START, rule
from tests.e2e.table import DRY, UNCHECKED, Answers, Case, invalid

Refused = tuple[dict[str, Any], tuple[str, ...]]

_DAYS = " (there is no unit for days: write 24h for one day)"
INTERVAL = f"must be a Go duration of at least 1m, such as 15m, 1h or 1h30m{_DAYS}"
DELAY = f"must be a Go duration of 0s or more, such as 5m or 1h{_DAYS}"
TIME = (
    "must be an RFC 3339 time with an upper-case T, an upper-case Z or an offset, and at most 7"
    " fraction digits, such as 2026-01-31T13:00:00Z"
)
NAME = (
    "must be 1 to 1024 ASCII letters, digits, spaces, '_', '.' or '-', not blank, and not begin or"
    " end with '__', which Kusto reserves"
)
BARE = "must be the bare name, the worker adds brackets and quotes: write "
HALF_OPEN = ": the range is half-open, [start, end); write an earlier start or a later end"
COMMAND = "is a management command; write a query, the worker wraps it in .set-or-append"
NO_QUERY = "has no query, only white space or comments; write the KQL of one window"


def _value(field: str, value: object, words: str) -> str:
    return f"spec.{field}: Invalid value: {json.dumps(value, ensure_ascii=False)}: {words}"


def _text(field: str, value: str, words: str) -> Refused:
    return rule(**{field: value}), (_value(field, value, words),)


def _of_type(field: str, value: object, wanted: str, found: str) -> Refused:
    words = f"spec.{field} in body must be of type {wanted}: {json.dumps(found)}"
    changed: dict[str, Any] = {field: value}
    return rule(**changed), (_value(field, found, words), UNCHECKED)


def _start(value: str) -> Refused:
    asked = {"start": value, "end": str(END)}
    return rule(backfill=asked), (_value("backfill.start", value, TIME),)


def _unordered(start: str, end: str) -> Refused:
    said = f"spec.backfill.start: Invalid value: start {start} must be before end {end}{HALF_OPEN}"
    return rule(backfill={"start": start, "end": end}), (said,)


def _backfill(field: str, value: object, *said: str) -> Refused:
    return rule(backfill=backfill(START, END, **{field: value})), said


def _bound(field: str, value: object, words: str) -> Refused:
    path = f"spec.backfill.{field}"
    found = json.dumps(value)
    return _backfill(field, value, f"{path}: Invalid value: {found}: {path} in body {words}")


def by_the_schema() -> Mapping[str, Refused]:
    """Refused by the schema or by CEL in the CRD; holds when the webhook is down."""
    return {
        "interval in days": _text("interval", "1d", INTERVAL),
        "interval in weeks": _text("interval", "2w", INTERVAL),
        "interval without a unit": _text("interval", "60", INTERVAL),
        "interval below a minute": _text("interval", "59s", INTERVAL),
        "interval of nothing": _text("interval", "0s", INTERVAL),
        "interval below nothing": _text("interval", "-1h", INTERVAL),
        "an ISO interval": _text("interval", "PT1H", INTERVAL),
        "an empty interval": _text("interval", "", INTERVAL),
        "interval too long to read": (
            rule(interval="1" * 64 + "h"),
            ("spec.interval: Too long: may not be more than 64 bytes", UNCHECKED),
        ),
        "interval as a number": _of_type("interval", 3600, "string", "integer"),
        "a delay below nothing": _text("ingestionDelay", "-5m", DELAY),
        "a delay in words": _text("ingestionDelay", "soon", DELAY),
        "a bracketed table": _text("table", "['My Table']", f"{BARE}My Table"),
        "a table in double quotes": _text("table", '["T"]', f"{BARE}T"),
        "a table with a semicolon": _text("table", "T;", NAME),
        "a table that is a path": _text("table", "db/T", NAME),
        "a reserved table": _text("table", "__T", NAME),
        "a table with a reserved end": _text("table", "T__", NAME),
        "a blank database": _text("database", " ", NAME),
        "a database beyond ASCII": _text("database", "données", NAME),
        "an empty body": (
            rule(body=""),
            ('spec.body: Invalid value: "": spec.body in body should be at least 1 chars long',),
        ),
        "no table": (rule(table=...), ("spec.table: Required value", UNCHECKED)),
        "no spec": (
            {**rule(), "spec": None},
            ("spec: Required value", UNCHECKED),
        ),
        "suspend as a word": _of_type("suspend", "yes", "boolean", "string"),
        "criteria as a list": _of_type("criteria", ["eu"], "object", "array"),
        "a criterion that is no list": (
            rule(criteria={"region": "eu"}),
            (
                (
                    'spec.criteria.region: Invalid value: "string": spec.criteria.region in body'
                    ' must be of type array: "string"'
                ),
                UNCHECKED,
            ),
        ),
        "an expression too long": (
            rule(criteriaExpression="x" * 8193),
            ("spec.criteriaExpression: Too long: may not be more than 8192 bytes", UNCHECKED),
        ),
        "a start without an offset": _start("2026-01-01T00:00:00"),
        "a start in lower case": _start("2026-01-01t00:00:00z"),
        "a start with a space": _start("2026-01-01 00:00:00Z"),
        "a start with a comma": _start("2026-01-01T00:00:00,5Z"),
        "a start with eight digits": _start("2026-01-01T00:00:00.12345678Z"),
        "a leap second": _start("2016-12-31T23:59:60Z"),
        "the thirtieth of February": _start("2026-02-30T00:00:00Z"),
        "an offset of a day": _start("2026-01-01T00:00:00+25:00"),
        "a date alone": _start("2026-01-01"),
        "the year nought": _start("0000-01-01T00:00:00Z"),
        "an offset before all time": _start("0001-01-01T00:00:00+01:00"),
        "start after end": _unordered("2026-02-01T00:00:00Z", "2026-01-01T00:00:00Z"),
        "start equal to end": _unordered(str(END), str(END)),
        "start a tick after end": _unordered(str(END.plus(1)), str(END)),
        "start after end by its offset": _unordered(
            "2026-01-01T00:30:00-01:00", "2026-01-01T01:00:00Z"
        ),
        "no start": (
            rule(backfill={"end": str(END)}),
            (
                (
                    "spec.backfill.start: Required value: write the start of the range, an RFC 3339"
                    " time such as 2026-01-31T13:00:00Z"
                ),
            ),
        ),
        "too many in flight": _bound("maxInFlight", 21, "should be less than or equal to 20"),
        "none in flight": _bound("maxInFlight", 0, "should be greater than or equal to 1"),
        "an empty requestId": _bound("requestId", "", "should be at least 1 chars long"),
        "an unread interval and a reserved table": (
            rule(interval="1d", table="__T"),
            (_value("interval", "1d", INTERVAL), _value("table", "__T", NAME)),
        ),
    }


def by_the_webhook(at: Instant) -> Mapping[str, Refused]:
    """Refused by the webhook alone, which has a clock and parsers."""
    earliest = floor(at.plus(-30 * TICKS_PER_DAY), HOUR)
    latest = ceil(at.plus(30 * TICKS_PER_DAY), HOUR)
    long_ago, longer_ago = hours_ago(31 * 24), hours_ago(40 * 24)
    ahead, far = hours_ago(-1), hours_ago(-31 * 24)
    too_old = f"is more than 30 days ago; write {earliest} or later"
    one, last = "0001-01-01T00:00:00Z", "9999-12-31T00:00:00Z"
    too_late = f"is more than 30 days in the future; write {latest} or earlier"
    return {
        "a start 31 days ago": (
            rule(backfill=backfill(long_ago, END)),
            (_value("backfill.start", str(long_ago), too_old),),
        ),
        "a range that is all too old": (
            rule(backfill=backfill(longer_ago, long_ago)),
            (
                _value("backfill.start", str(longer_ago), too_old),
                _value("backfill.end", str(long_ago), too_old),
            ),
        ),
        "a start in the year 1": (
            rule(backfill={"start": one, "end": str(END)}),
            (_value("backfill.start", one, too_old),),
        ),
        "an end in the year 9999": (
            rule(backfill={"start": str(END), "end": last}),
            (_value("backfill.end", last, too_late),),
        ),
        "a range ahead": (
            rule(backfill=backfill(ahead, far)),
            (
                _value(
                    "backfill.start",
                    str(ahead),
                    f"is in the future; write a start before now ({at.to_seconds()})",
                ),
                _value("backfill.end", str(far), too_late),
            ),
        ),
        "a management command": _text("body", ".drop table T", COMMAND),
        "a command after a comment and a lone CR": (
            rule(body="// harmless\r.drop table T"),
            (_value("body", ".drop table T", COMMAND),),
        ),
        "a command after a zero-width space": (
            rule(body="\u200b.drop table T"),
            (_value("body", ".drop table T", COMMAND),),
        ),
        "a body of comments": (
            rule(body="  // nothing yet\n"),
            (_value("body", "// nothing yet", NO_QUERY),),
        ),
        "an expression that is no CEL": (
            rule(criteriaExpression="region =="),
            (
                _value(
                    "criteriaExpression",
                    "region ==",
                    "is not a CEL expression: line 1, column 10: the expression ends too early",
                ),
            ),
        ),
        "an interval between two ticks": _text(
            "interval",
            "1m1ns",
            "must be a whole number of 100 ns, Kusto's tick; drop the nanoseconds",
        ),
    }


def table(at: Instant) -> Mapping[str, Case]:
    refused = {**by_the_schema(), **by_the_webhook(at)}
    return {
        name: Case(("apply", *DRY), manifest, Said(1, (), invalid("it", causes)))
        for name, (manifest, causes) in refused.items()
    }


@pytest.fixture(scope="module")
def answers(stack: Stack) -> Answers:
    return Answers.of(Kubectl.of(stack), table)


@pytest.mark.parametrize("name", table(now()))
def test_a_refusal_names_the_field_and_what_to_write(answers: Answers, name: str) -> None:
    answers.check(name)
