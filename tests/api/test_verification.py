"""What a table has, by the tags of its extents, against what status says: each kind of trouble."""

from typing import Any

import pytest

from summaryrule.api import timeline
from summaryrule.api.instant import TICKS_PER_SECOND, Instant
from summaryrule.api.schema_validation import parse_rule
from summaryrule.api.tokens import legacy_window_token, window_token
from summaryrule.api.windows import Window, WindowSequence, windows_between
from summaryrule.verification import Extent, WindowCheck, check_windows, droppable_tokens
from tests.plugin.rules import NOW, rule, running

HOUR = 3_600 * TICKS_PER_SECOND
FIRST = Instant.parse("2026-11-24T02:00:00Z")
LAST = Instant.parse("2026-11-24T10:00:00Z")


def scheduled(**status: Any) -> dict[str, Any]:
    """A rule whose schedule has run every hour of [02:00, 10:00)."""
    schedule = {"cursor": str(LAST), "lastDone": str(LAST)}
    made = rule(**{"schedule": schedule, **status})
    made["metadata"] |= {"creationTimestamp": "2026-11-24T03:30:00Z", "uid": "u-1"}
    return made


def windows(first: Instant = FIRST, last: Instant = LAST) -> WindowSequence:
    return windows_between(first, last, parse_rule(rule()).spec.interval)


def extent(*tags: str, at: Instant) -> Extent:
    return Extent(frozenset(tags), at, at)


def appended(raw: dict[str, Any], *requests: str | None) -> list[Extent]:
    """An extent for each window and each request, as the appends leave it."""
    parsed = parse_rule(raw)
    return [
        extent(f"ingest-by:{window_token(parsed, window, request)}", at=window.end)
        for window in windows()
        for request in requests or (None,)
    ]


def check(raw: dict[str, Any], extents: list[Extent], **given: Any) -> list[WindowCheck]:
    lanes = timeline.lanes(raw, NOW)
    return check_windows(parse_rule(raw), lanes, extents, given.get("windows") or windows())


def states(raw: dict[str, Any], extents: list[Extent], **given: Any) -> list[str]:
    return [each.state for each in check(raw, extents, **given)]


def test_each_window_there_once() -> None:
    assert states(scheduled(), appended(scheduled())) == ["once"] * 8


def test_one_window_is_missing() -> None:
    there = appended(scheduled())
    del there[3]
    assert states(scheduled(), there) == ["once"] * 3 + ["missing"] + ["once"] * 4


def test_all_windows_are_missing_where_the_table_is_new() -> None:
    assert states(scheduled(), []) == ["missing"] * 8


def test_two_requests_leave_a_window_twice() -> None:
    record = {"start": str(FIRST), "end": str(LAST), "id": "again", "doneUntil": str(LAST)}
    raw = scheduled(backfillHistory=[record])
    found = check(raw, appended(raw, None, "again"))
    assert [each.state for each in found] == ["twice"] * 8
    assert found[0].tokens == (
        window_token(parse_rule(raw), found[0].window),
        window_token(parse_rule(raw), found[0].window, "again"),
    )


def test_a_backfill_of_the_first_release_beside_the_schedule_is_twice() -> None:
    record = {"key": "k1", "start": str(FIRST), "end": str(LAST), "doneUntil": str(LAST)}
    raw = scheduled(backfillHistory=[record])
    legacy = legacy_window_token(parse_rule(raw), "k1", FIRST)
    there = [*appended(raw), extent(f"ingest-by:{legacy}", at=FIRST.plus(HOUR))]
    assert states(raw, there) == ["twice"] + ["once"] * 7


def test_a_window_of_the_first_release_alone_is_once() -> None:
    record = {"key": "k1", "start": str(FIRST), "end": str(LAST), "doneUntil": str(LAST)}
    raw = scheduled(backfillHistory=[record])
    legacy = legacy_window_token(parse_rule(raw), "k1", FIRST)
    there = [extent(f"ingest-by:{legacy}", at=FIRST.plus(HOUR)), *appended(raw)[1:]]
    assert states(raw, there) == ["once"] * 8


def test_two_replacing_runs_are_twice_and_one_is_once() -> None:
    raw = scheduled()
    parsed = parse_rule(raw)
    prefix = f"drop-by:summaryrule/default/cpu/{FIRST}/"
    token = window_token(parsed, windows()[0])
    one = extent(f"ingest-by:{token}", f"{prefix}{token}", at=FIRST.plus(HOUR))
    other = extent("ingest-by:run-2", f"{prefix}run-2", at=FIRST.plus(HOUR))
    rest = appended(raw)[1:]
    assert states(raw, [one, *rest]) == ["once"] * 8
    assert check(raw, [one, other, *rest])[0] == WindowCheck(
        windows()[0], "twice", (token, "run-2")
    )


def test_rows_of_another_rule_in_the_table_count_for_nothing() -> None:
    other = scheduled()
    other["metadata"]["uid"] = "u-2"
    assert states(scheduled(), appended(other)) == ["missing"] * 8
    prefix = f"drop-by:summaryrule/default/other/{FIRST}/run"
    assert states(scheduled(), [extent(prefix, "ingest-by:x", at=LAST)])[0] == "missing"


def test_merged_extents_have_the_tokens_of_all() -> None:
    tags = frozenset(tag for each in appended(scheduled()) for tag in each.tags)
    assert states(scheduled(), [Extent(tags, FIRST, LAST)]) == ["once"] * 8


def test_a_window_whose_tags_may_be_gone_is_unknown() -> None:
    there = [*appended(scheduled())[2:], Extent(frozenset(), FIRST, FIRST.plus(2 * HOUR))]
    assert states(scheduled(), there) == ["unknown"] * 2 + ["once"] * 6


def test_windows_that_failed_run_wait_or_were_skipped_are_said() -> None:
    def single(hour: int, **more: Any) -> dict[str, Any]:
        bounds = {"start": str(FIRST.plus(hour * HOUR)), "end": str(FIRST.plus((hour + 1) * HOUR))}
        return {**bounds, **more}

    backfill = running(
        requestedStart=str(FIRST),
        requestedEnd=str(LAST),
        doneUntil=str(FIRST.plus(2 * HOUR)),
        skipped=[single(1)],
        failed=[single(2, error="x")],
        inFlight=[single(3, operationId="1")],
    )
    raw = rule(backfill=backfill)
    raw["metadata"]["uid"] = "u-1"
    found = states(raw, appended(raw)[:1])
    assert found == ["once", "skipped", "failed", "pending", *["pending"] * 4]


def test_rows_that_status_does_not_know_of_are_unlisted() -> None:
    raw = rule()
    raw["metadata"]["uid"] = "u-1"
    assert states(raw, appended(raw)) == ["unlisted"] * 8


def test_what_nothing_covers_is_not_missing() -> None:
    earlier = windows(Instant.parse("2026-11-23T00:00:00Z"), Instant.parse("2026-11-23T02:00:00Z"))
    assert states(scheduled(), [], windows=earlier) == ["not covered"] * 2


def test_windows_of_another_grid_are_unknown() -> None:
    record = {
        "start": "2026-11-20T00:00:00Z",
        "end": "2026-11-21T00:00:00Z",
        "doneUntil": "2026-11-21T00:00:00Z",
        "interval": "5m",
    }
    earlier = windows(Instant.parse("2026-11-20T00:00:00Z"), Instant.parse("2026-11-20T02:00:00Z"))
    assert states(scheduled(backfillHistory=[record]), [], windows=earlier) == ["unknown"] * 2


@pytest.mark.parametrize("merged", [True, False])
def test_a_run_can_be_dropped_if_its_extents_have_no_other_rows(*, merged: bool) -> None:
    checked = WindowCheck(Window(FIRST, FIRST.plus(HOUR)), "twice", ("a", "b"))
    second = {"ingest-by:b", *({"ingest-by:c"} if merged else set[str]())}
    there = [extent("ingest-by:a", at=FIRST), extent(*second, at=FIRST)]
    assert droppable_tokens(checked, there) == (() if merged else ("b",))


def test_a_month_of_minutes_is_checked() -> None:
    bounds = {"start": "2026-10-25T00:00:00Z", "end": "2026-11-24T00:00:00Z"}
    raw = rule(
        schedule={"cursor": "2026-11-24T00:00:00Z"},
        backfillHistory=[{"key": f"k{n}", "id": f"r{n}", **bounds} for n in range(10)],
    )
    raw["spec"]["interval"] = "1m"
    raw["metadata"] |= {"uid": "u-1", "creationTimestamp": "2026-10-25T00:00:30Z"}
    parsed = parse_rule(raw)
    month = windows_between(
        Instant.parse("2026-10-25T00:00:00Z"),
        Instant.parse("2026-11-24T00:00:00Z"),
        parsed.spec.interval,
    )
    there = [extent(f"ingest-by:{window_token(parsed, each)}", at=each.end) for each in month]
    found = check_windows(parsed, timeline.lanes(raw, NOW), there, month)
    assert len(month) == 43_200
    assert {each.state for each in found} == {"once"}
