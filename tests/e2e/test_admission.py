"""What kubectl prints: refusals from both stages, each in its own field, and warnings.

Times are written relative to now, since admission judges by the clock. `--dry-run=server` passes
every stage and stores nothing.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from summaryrule.instant import TICKS_PER_DAY, Instant
from summaryrule.windows import floor
from tests.e2e.lab import HOUR, Lab, backfill, hours_ago, now

INTERVAL = (
    "must be a Go duration of at least 1m, such as 15m, 1h or 1h30m"
    " (there is no unit for days: write 24h for one day)"
)
DELAY = (
    "must be a Go duration of 0s or more, such as 5m or 1h"
    " (there is no unit for days: write 24h for one day)"
)
TIME = (
    "must be an RFC 3339 time with an upper-case T, an upper-case Z or an offset, and at most 7"
    " fraction digits, such as 2026-01-31T13:00:00Z"
)
NAME = (
    "must be 1 to 1024 ASCII letters, digits, spaces, '_', '.' or '-', not blank, and not begin or"
    " end with '__', which Kusto reserves"
)
END = hours_ago(3)


def _spec(**changes: Any) -> Callable[[], dict[str, Any]]:
    return lambda: changes


def _range(start: str, end: str | None = None) -> Callable[[], dict[str, Any]]:
    return lambda: {"backfill": {"start": start, "end": end or str(END)}}


SCHEMA_STAGE = {
    "interval in days": (_spec(interval="1d"), f'spec.interval: Invalid value: "1d": {INTERVAL}'),
    "interval in weeks": (_spec(interval="2w"), f'spec.interval: Invalid value: "2w": {INTERVAL}'),
    "interval without a unit": (
        _spec(interval="60"),
        f'spec.interval: Invalid value: "60": {INTERVAL}',
    ),
    "interval below a minute": (
        _spec(interval="59s"),
        f'spec.interval: Invalid value: "59s": {INTERVAL}',
    ),
    "interval of nothing": (
        _spec(interval="0s"),
        f'spec.interval: Invalid value: "0s": {INTERVAL}',
    ),
    "interval below nothing": (
        _spec(interval="-1h"),
        f'spec.interval: Invalid value: "-1h": {INTERVAL}',
    ),
    "an ISO interval": (
        _spec(interval="PT1H"),
        f'spec.interval: Invalid value: "PT1H": {INTERVAL}',
    ),
    "an empty interval": (_spec(interval=""), f'spec.interval: Invalid value: "": {INTERVAL}'),
    "a delay below nothing": (
        _spec(ingestionDelay="-5m"),
        f'spec.ingestionDelay: Invalid value: "-5m": {DELAY}',
    ),
    "a delay in words": (
        _spec(ingestionDelay="soon"),
        f'spec.ingestionDelay: Invalid value: "soon": {DELAY}',
    ),
    "a bracketed table": (
        _spec(table="['My Table']"),
        (
            "spec.table: Invalid value: \"['My Table']\": must be the bare name, the worker adds"
            " brackets and quotes: write My Table"
        ),
    ),
    "a table with a semicolon": (_spec(table="T;"), f'spec.table: Invalid value: "T;": {NAME}'),
    "a reserved table": (_spec(table="__T"), f'spec.table: Invalid value: "__T": {NAME}'),
    "a blank database": (_spec(database=" "), f'spec.database: Invalid value: " ": {NAME}'),
    "a start without an offset": (
        _range("2026-01-01T00:00:00"),
        f'spec.backfill.start: Invalid value: "2026-01-01T00:00:00": {TIME}',
    ),
    "a start in lower case": (
        _range("2026-01-01t00:00:00z"),
        f'spec.backfill.start: Invalid value: "2026-01-01t00:00:00z": {TIME}',
    ),
    "a start with a comma": (
        _range("2026-01-01T00:00:00,5Z"),
        f'spec.backfill.start: Invalid value: "2026-01-01T00:00:00,5Z": {TIME}',
    ),
    "a start with eight digits": (
        _range("2026-01-01T00:00:00.12345678Z"),
        f'spec.backfill.start: Invalid value: "2026-01-01T00:00:00.12345678Z": {TIME}',
    ),
    "a leap second": (
        _range("2016-12-31T23:59:60Z"),
        f'spec.backfill.start: Invalid value: "2016-12-31T23:59:60Z": {TIME}',
    ),
    "the thirtieth of February": (
        _range("2026-02-30T00:00:00Z"),
        f'spec.backfill.start: Invalid value: "2026-02-30T00:00:00Z": {TIME}',
    ),
    "an offset of a day": (
        _range("2026-01-01T00:00:00+25:00"),
        f'spec.backfill.start: Invalid value: "2026-01-01T00:00:00+25:00": {TIME}',
    ),
    "a date alone": (
        _range("2026-01-01"),
        f'spec.backfill.start: Invalid value: "2026-01-01": {TIME}',
    ),
    "start after end": (
        _range("2026-02-01T00:00:00Z", "2026-01-01T00:00:00Z"),
        (
            "spec.backfill.start: Invalid value: start 2026-02-01T00:00:00Z must be before end"
            " 2026-01-01T00:00:00Z: the range is half-open, [start, end); write an earlier start"
            " or a later end"
        ),
    ),
    "start equal to end": (
        _range(str(END)),
        (
            f"spec.backfill.start: Invalid value: start {END} must be before end {END}: the range"
            " is half-open, [start, end); write an earlier start or a later end"
        ),
    ),
    "start a tick after end": (
        _range(str(END.plus(1))),
        (
            f"spec.backfill.start: Invalid value: start {END.plus(1)} must be before end {END}: the"
            " range is half-open, [start, end); write an earlier start or a later end"
        ),
    ),
    "too many in flight": (
        lambda: {"backfill": backfill(hours_ago(9), END, maxInFlight=21)},
        (
            "spec.backfill.maxInFlight: Invalid value: 21: spec.backfill.maxInFlight in body should"
            " be less than or equal to 20"
        ),
    ),
    "none in flight": (
        lambda: {"backfill": backfill(hours_ago(9), END, maxInFlight=0)},
        (
            "spec.backfill.maxInFlight: Invalid value: 0: spec.backfill.maxInFlight in body should"
            " be greater than or equal to 1"
        ),
    ),
    "an interval that is a number": (
        _spec(interval=3600),
        (
            'spec.interval: Invalid value: "integer": spec.interval in body must be of type string:'
            ' "integer"'
        ),
    ),
}


def _earliest() -> Instant:
    return floor(now().plus(-30 * TICKS_PER_DAY), HOUR)


WEBHOOK_STAGE: dict[str, tuple[Callable[[], dict[str, Any]], Callable[[], str]]] = {
    "a start 31 days ago": (
        lambda: {"backfill": backfill(hours_ago(31 * 24), END)},
        lambda: (
            f'spec.backfill.start: Invalid value: "{hours_ago(31 * 24)}": is more than 30 days'
            f" ago; write {_earliest()} or later"
        ),
    ),
    "a start in the year 1": (
        lambda: {"backfill": {"start": "0001-01-01T00:00:00Z", "end": str(END)}},
        lambda: (
            'spec.backfill.start: Invalid value: "0001-01-01T00:00:00Z": is more than 30 days'
            f" ago; write {_earliest()} or later"
        ),
    ),
    "an end in the year 9999": (
        lambda: {"backfill": {"start": str(END), "end": "9999-12-31T00:00:00Z"}},
        lambda: (
            'spec.backfill.end: Invalid value: "9999-12-31T00:00:00Z": is more than 30 days in'
            " the future; write "
        ),
    ),
    "a management command": (
        _spec(body="// harmless\r.drop table T"),
        lambda: (
            'spec.body: Invalid value: ".drop table T": is a management command; write a query,'
            " the worker wraps it in .set-or-append"
        ),
    ),
    "a body of comments": (
        _spec(body="  // nothing yet\n"),
        lambda: (
            'spec.body: Invalid value: "// nothing yet": has no query, only white space or'
            " comments; write the KQL of one window"
        ),
    ),
    "an expression that is no CEL": (
        _spec(criteriaExpression="region =="),
        lambda: 'spec.criteriaExpression: Invalid value: "region ==": is not a CEL expression: ',
    ),
    "an interval between two ticks": (
        _spec(interval="1m1ns"),
        lambda: (
            'spec.interval: Invalid value: "1m1ns": must be a whole number of 100 ns, Kusto\'s'
            " tick; drop the nanoseconds"
        ),
    ),
}


def _dry(lab: Lab, rule: Mapping[str, Any], *flags: str) -> tuple[int, str]:
    done = lab.apply(rule, "--dry-run=server", *flags)
    return done.returncode, done.stderr


@pytest.mark.parametrize("case", SCHEMA_STAGE)
def test_the_schema_refuses_in_its_field(lab: Lab, case: str) -> None:
    changes, expected = SCHEMA_STAGE[case]
    code, printed = _dry(lab, lab.rule(**changes()))
    assert code == 1
    assert printed.startswith(f'The SummaryRule "{lab.name}" is invalid:')
    assert expected in printed


@pytest.mark.parametrize("case", WEBHOOK_STAGE)
def test_the_webhook_refuses_in_its_field(lab: Lab, case: str) -> None:
    changes, expected = WEBHOOK_STAGE[case]
    code, printed = _dry(lab, lab.rule(**changes()))
    assert code == 1
    assert f'The SummaryRule "{lab.name}" is invalid: {expected()}' in printed


def test_four_mistakes_print_four_lines(lab: Lab) -> None:
    rule = lab.rule(
        interval="1m1ns",
        body=".show tables",
        criteriaExpression="region ==",
        backfill={"start": "2024-01-01T00:00:00Z", "end": str(END)},
    )
    code, printed = _dry(lab, rule)
    assert code == 1
    fields = [line.split(":")[0] for line in printed.splitlines() if line.startswith("* ")]
    assert fields == [
        "* spec.interval",
        "* spec.body",
        "* spec.criteriaExpression",
        "* spec.backfill.start",
    ]


def test_mistakes_of_both_stages_print_the_schemas_first_in_our_words(lab: Lab) -> None:
    code, printed = _dry(lab, lab.rule(interval="1d", body=".show tables"))
    assert code == 1
    assert f'spec.interval: Invalid value: "1d": {INTERVAL}' in printed
    assert "spec.body" not in printed


def test_an_unknown_field_is_named(lab: Lab) -> None:
    code, printed = _dry(lab, lab.rule(intervall="1h"))
    assert code == 1
    assert 'unknown field "spec.intervall"' in printed


def test_upstreams_backfill_fields_are_refused_with_ours(lab: Lab) -> None:
    theirs = {"requestId": "jan", "startTime": str(hours_ago(9)), "endTime": str(END)}
    code, printed = _dry(lab, lab.rule(backfill=theirs))
    assert code == 1
    assert "spec.backfill.start: Required value" in printed
    assert "write spec.backfill.start instead" in printed
    assert "write spec.backfill.end instead" in printed


def test_a_missing_field_is_required(lab: Lab) -> None:
    rule = lab.rule()
    del rule["spec"]["table"]
    code, printed = _dry(lab, rule)
    assert (code, "spec.table: Required value" in printed) == (1, True)


def test_an_unaligned_range_is_aligned_and_said_so(lab: Lab) -> None:
    start, end = hours_ago(9).plus(10_000_000), END.plus(-10_000_000)
    printed = lab.admit(lab.rule(backfill=backfill(start, end)), "--dry-run=server")
    assert f"Warning: spec.backfill.start: aligned to whole windows of 1h: from {start}" in printed
    assert f"Warning: spec.backfill.end: aligned to whole windows of 1h: from {end}" in printed


def test_a_missing_end_is_filled_in(lab: Lab) -> None:
    printed = lab.admit(lab.rule(backfill={"start": str(hours_ago(9))}), "--dry-run=server")
    assert "Warning: spec.backfill.end: not given; set to " in printed


def test_a_body_that_ignores_its_bounds_is_warned_of(lab: Lab) -> None:
    printed = lab.admit(lab.rule(body=f"{lab.raw} | count"), "--dry-run=server")
    assert "Warning: spec.body: does not use _startTime and _endTime" in printed


def test_a_range_that_the_schedule_runs_too_is_warned_of(lab: Lab) -> None:
    rule = lab.rule(suspend=False, backfill=backfill(hours_ago(9), hours_ago(0)))
    assert "are appended twice; write " in lab.admit(rule, "--dry-run=server")


def test_a_forged_operation_id_is_put_back(lab: Lab) -> None:
    rule = lab.rule(backfill=backfill(hours_ago(9), END, operationId="forged"))
    done = lab.apply(rule, "--dry-run=server", "-o", "json")
    assert "Warning: spec.backfill.operationId: is set by the worker only; put back" in done.stderr
    assert "operationId" not in json.loads(done.stdout)["spec"]["backfill"]


def test_the_requester_is_written_by_admission_alone(lab: Lab) -> None:
    rule = lab.rule(backfill=backfill(hours_ago(9), END))
    rule["metadata"]["annotations"] = {"adx-mon.azure.com/backfill-requested-by": "somebody-else"}
    done = lab.apply(rule, "--dry-run=server", "-o", "json")
    annotations = json.loads(done.stdout)["metadata"]["annotations"]
    assert annotations["adx-mon.azure.com/backfill-requested-by"] != "somebody-else"


def test_an_edit_of_a_rule_with_an_old_backfill_passes(lab: Lab) -> None:
    """Labels, finalizers and deletion cost no call; an unrelated field is not held to the range."""
    lab.admit(lab.rule(backfill=backfill(hours_ago(9), END, suspend=True)))
    labelled = lab.kubectl("label", "summaryrule", lab.name, "team=metrics")
    assert labelled.returncode == 0, labelled.stderr
    patched = lab.kubectl(
        "patch", "summaryrule", lab.name, "--type=merge", "-p", '{"spec":{"ingestionDelay":"5m"}}'
    )
    assert patched.returncode == 0, patched.stderr
