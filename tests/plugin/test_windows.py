"""The windows that `kubectl summaryrule windows` reads from a status."""

from plugin.commands.windows import list_windows
from tests.plugin.rules import rule, running

FLYING = {"start": "2026-11-10T21:00:00Z", "end": "2026-11-10T22:00:00Z", "operationId": "x"}
INTENT = {"start": "2026-11-24T09:00:00Z", "end": "2026-11-24T10:00:00Z"}
FAILED = {
    "start": "2026-11-03T04:00:00Z",
    "end": "2026-11-03T05:00:00Z",
    "attempt": 2,
    "error": "BadInput: no table",
}


def test_each_window_has_its_state_and_ranges_of_done_ones_are_one_row() -> None:
    ahead = {"start": "2026-11-11T00:00:00Z", "end": "2026-11-11T03:00:00Z"}
    live = rule(
        schedule={"lastDone": "2026-11-24T09:00:00Z", "inFlight": [INTENT]},
        backfill=running(inFlight=[FLYING], failed=[FAILED], doneAhead=[ahead]),
    )
    assert [(each["kind"], each["state"], each["start"]) for each in list_windows(live)] == [
        ("schedule", "done", ""),
        ("schedule", "pending", "2026-11-24T09:00:00Z"),
        ("backfill", "done", "2026-11-01T00:00:00Z"),
        ("backfill", "done", "2026-11-11T00:00:00Z"),
        ("backfill", "failed", "2026-11-03T04:00:00Z"),
        ("backfill", "running", "2026-11-10T21:00:00Z"),
    ]
    (failed,) = (each for each in list_windows(live) if each["state"] == "failed")
    assert (failed["attempt"], failed["error"]) == ("2", "BadInput: no table")


def test_a_rule_without_a_status_has_no_windows() -> None:
    assert list(list_windows({})) == []
    assert list(list_windows({"status": {"backfill": [], "schedule": {"inFlight": [1]}}})) == []
