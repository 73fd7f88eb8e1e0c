"""What `kubectl summaryrule status` prints."""

import io
from typing import Any

import pytest

from plugin.commands.status import HEAD, lines
from plugin.console import Console
from summaryrule.api.summary import as_json, summarize
from tests.plugin.rules import NOW, condition, rule, running

OWNER = "summaryrule.adx-mon.azure.com"
SCHEDULE = {"lastDone": "2026-11-24T10:00:00Z", "cursor": "2026-11-24T10:00:00Z"}


PIPE = Console(io.TextIOWrapper(io.BytesIO(), "ascii"), io.StringIO())
"""Neither a terminal nor UTF-8: whole lines in ASCII."""


def shown(*rules: dict[str, Any], wide: bool = False, everywhere: bool = False) -> list[str]:
    seen = [summarize(each, NOW) for each in rules]
    return list(lines(seen, NOW, PIPE, wide=wide, everywhere=everywhere))


def test_a_rule_has_one_line_with_its_lag_and_the_progress_of_its_backfill() -> None:
    head, row = shown(rule(schedule=SCHEDULE, backfill=running()))
    assert head.split("   ")[0] == "NAME"
    assert [cell.strip() for cell in row.split("   ") if cell] == [
        "cpu",
        "-",
        "-",
        "2026-11-24T10:00:00Z",
        "30m",
        "Running",
        "########............  42% 237/552",
        "12m30s",
        "-",
    ]


def test_columns_stand_below_each_other() -> None:
    head, *rows = shown(rule("a"), rule("a-much-longer-name", schedule=SCHEDULE), everywhere=True)
    column = head.index("LAST WINDOW")
    assert [row[column - 1] for row in rows] == [" ", " "]
    assert [row[column] for row in rows] == ["-", "2"]


def test_what_does_not_go_on_is_said_in_words() -> None:
    held = condition(OWNER, "NoEndpoint", "no endpoint is configured for database 'Telemetry'")
    failed = condition("Backfill", "WindowFailed", "window [a, b) failed: BadInput: no such table")
    late = {"cursor": "2026-11-24T05:00:00Z", "lastDone": "2026-11-24T05:00:00Z"}
    (_, row) = shown(
        rule(schedule=late, backfill=running(phase="Failed"), conditions=[held, failed])
    )
    assert row.endswith(
        "no endpoint is configured for database 'Telemetry';"
        " window [a, b) failed: BadInput: no such table; 5 windows are due and have not begun"
    )


def test_a_backfill_without_an_endpoint_is_said_once() -> None:
    why = "no endpoint is configured for database 'Telemetry'"
    held = condition("Backfill", "NoEndpoint", f"0/3 windows; {why}")
    (_, row) = shown(
        rule(backfill=running(), conditions=[held, condition(OWNER, "NoEndpoint", why)])
    )
    assert row.count(why) == 1


def test_columns_that_differ_are_a_problem_and_an_invalid_query_is_said_once() -> None:
    why = "column 1 is N:long, and N:real in table T: write toreal(N)"
    differs = {**condition("QueryValid", "ColumnsDiffer", why), "status": "True"}
    (_, row) = shown(rule(conditions=[differs]))
    assert row.endswith(why)
    wrong = "SEM0100: no column (line 2, position 5 of spec.body)"
    kinds = ("QueryValid", OWNER, "Backfill")
    conditions = [condition(kind, "QueryInvalid", wrong) for kind in kinds]
    (_, row) = shown(rule(backfill=running(), conditions=conditions))
    assert row.count(wrong) == 1


def test_a_suspended_rule_is_not_behind() -> None:
    late = rule(schedule={"cursor": "2026-11-01T00:00:00Z", "lastDone": "2026-11-01T00:00:00Z"})
    late["spec"]["suspend"] = True
    (_, row) = shown(late)
    assert row.split() == ["cpu", "-", "-", "2026-11-01T00:00:00Z", "-", "-", "-", "-", "-"]


@pytest.mark.parametrize("reason", ["CriteriaNotMet", "NotOurs"])
def test_a_rule_of_another_cluster_or_operator_has_no_problem(reason: str) -> None:
    (_, row) = shown(rule(conditions=[condition(OWNER, reason, "no criteria matched")]))
    assert row.split()[-1] == "-"


@pytest.mark.parametrize(
    ("status", "reason", "problem"),
    [
        ("True", "Active", "-"),
        ("True", "OtherCluster", "-"),
        ("False", "Malformed", "start must be before end"),
    ],
)
def test_ready_and_its_reason_are_those_of_the_condition(
    status: str, reason: str, problem: str
) -> None:
    ready = condition("Ready", reason, "start must be before end") | {"status": status}
    (_, row) = shown(rule(conditions=[ready]))
    assert row.split()[:3] == ["cpu", status, reason]
    assert row.endswith(problem)


def test_what_would_stop_a_suspended_rule_is_no_problem() -> None:
    held = condition(OWNER, "NoEndpoint", "no endpoint is configured")
    ready = condition("Ready", "Suspended", "") | {"status": "True"}
    (_, row) = shown(rule(conditions=[held, ready]))
    assert row.split()[1:3] == ["True", "Suspended"]
    assert row.endswith(" -")


def test_a_rule_without_the_condition_says_why_it_has_none() -> None:
    unseen, theirs, going = rule(), rule(), rule()
    unseen["status"] = {}
    theirs["metadata"]["annotations"] = {"adx-mon.azure.com/owner": "adx-exporter"}
    going["metadata"]["deletionTimestamp"] = "2026-11-24T10:00:00Z"
    rows = [shown(each)[1].split()[1:3] for each in (unseen, theirs, going)]
    assert rows == [["-", "NotSeen"], ["-", "NotOurs"], ["False", "Deleting"]]


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def on_terminal(monkeypatch: pytest.MonkeyPatch, columns: int) -> list[str]:
    monkeypatch.setenv("COLUMNS", str(columns))
    failed = condition("Backfill", "WindowFailed", "window [a, b) failed: " + "no such table " * 20)
    not_ready = condition("Ready", "BackfillFailed", "window [a, b) failed: no such table")
    stuck = rule(
        "telemetry-requests-hourly",
        conditions=[failed, not_ready],
        backfill=running(phase="Failed"),
    )
    seen = [summarize(each, NOW) for each in (stuck, rule("b", backfill=running()))]
    screen = Console(Terminal(), io.StringIO())
    return list(lines(seen, NOW, screen, wide=False, everywhere=False))


@pytest.mark.parametrize(
    ("columns", "head"),
    [
        (60, "NAME REASON PROBLEM"),
        (80, "NAME READY REASON BACKFILL PROBLEM"),
        (120, "NAME READY REASON LAST WINDOW LAG BACKFILL PROGRESS ETA PROBLEM"),
        (160, "NAME READY REASON LAST WINDOW LAG BACKFILL PROGRESS ETA PROBLEM"),
    ],
)
def test_a_table_fits_the_terminal_and_cuts_the_problem_last(
    columns: int, head: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    first, stuck, *rest = on_terminal(monkeypatch, columns)
    assert " ".join(first.split()) == head
    left_out = [title for title in (*HEAD, "PROBLEM") if title not in first]
    said = [f"left out: {', '.join(left_out)}; -o wide shows all"] if left_out else []
    assert rest[1:] == said
    assert len(stuck) <= columns
    assert stuck.endswith("…")
    assert "window [a" in stuck


def test_colors_are_for_terminals_and_none_with_no_color(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert "\x1b[31mFailed  \x1b[0m" in on_terminal(monkeypatch, 160)[1]
    monkeypatch.setenv("TERM", "dumb")
    assert "\x1b" not in on_terminal(monkeypatch, 160)[1]
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in on_terminal(monkeypatch, 160)[1]


def test_wide_names_the_table_and_who_asked() -> None:
    (_, row) = shown(rule(backfill=running()), wide=True)
    assert row.split()[-6:] == ["Telemetry.CPUHourly", "1h", "0", "0", "ada", "-"]


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"spec": None, "status": [], "metadata": "x"},
        {"spec": {"interval": "1d"}, "status": {"schedule": {"cursor": 5, "inFlight": {}}}},
        {"status": {"backfill": {"requestedStart": 1, "percent": "x", "windowsTotal": -4}}},
        {"status": {"conditions": ["x", {"type": 1}]}},
    ],
)
def test_an_object_that_is_no_rule_still_has_its_line(broken: dict[str, Any]) -> None:
    assert len(shown(broken)) == 2


def test_nothing_in_a_name_or_a_message_steers_the_terminal() -> None:
    evil = condition(OWNER, "X", "red \x1b[31m\r\nnew line")
    (_, row) = shown(rule(conditions=[evil]))
    assert "\x1b" not in row
    assert "\r" not in row


def test_json_has_rfc_3339_times_and_the_backfill_under_its_name() -> None:
    data = as_json(summarize(rule(schedule=SCHEDULE, backfill=running()), NOW))
    assert data["last"] == "2026-11-24T10:00:00Z"
    assert data["lag"] == 1800
    assert data["backfill"]["doneUntil"] == "2026-11-10T21:00:00Z"
    assert data["backfill"]["done"] == 237
    assert data["problems"] == []
