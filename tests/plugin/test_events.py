"""The Events that `kubectl summaryrule events` shows."""

import io
import json
from typing import Any

import pytest

from plugin.cli import parse
from plugin.commands.events import events
from plugin.console import Console
from plugin.kubectl import Kubectl
from runtime import clock
from summaryrule.api.instant import TICKS_PER_SECOND
from tests.plugin.rules import rule


def event(seconds_ago: int, reason: str, **more: Any) -> dict[str, Any]:
    at = str(clock.now().plus(-seconds_ago * TICKS_PER_SECOND))
    return {"lastTimestamp": at, "type": "Normal", "reason": reason, "message": "text", **more}


class Cluster(Kubectl):
    """A cluster with one rule and its Events."""

    def __init__(self, *found: dict[str, Any]) -> None:
        super().__init__("none", [])
        self.found = list(found)

    def rule(self, name: str) -> dict[str, Any]:
        return rule(name)

    def events(self, kind: str, name: str) -> list[dict[str, Any]]:
        assert (kind, name) == ("SummaryRule", "cpu")
        return self.found


def shown(cluster: Cluster, *words: str) -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    args = parse(["events", "cpu", *words])
    args.name = "cpu"
    assert events(cluster, args, Console(out, err)) == 0
    return out.getvalue(), err.getvalue()


def test_the_newest_event_is_last_and_a_repeated_one_has_its_count() -> None:
    newest = event(90, "BackfillCompleted", count=3)
    out, _ = shown(Cluster(newest, event(7300, "BackfillStarted", type="Warning")))
    head, first, last = out.splitlines()
    assert head.split() == ["LAST", "SEEN", "COUNT", "TYPE", "REASON", "MESSAGE"]
    assert first.split() == ["2h1m", "ago", "1", "Warning", "BackfillStarted", "text"]
    assert last.split() == ["1m30s", "ago", "3", "Normal", "BackfillCompleted", "text"]


@pytest.mark.parametrize(
    "times", [{"eventTime": "2026-11-24T10:00:00.123456Z"}, {"eventTime": None}]
)
def test_an_event_without_a_last_time_is_shown_too(times: dict[str, Any]) -> None:
    odd = {**event(0, "X"), "lastTimestamp": None, **times}
    (found,) = json.loads(shown(Cluster(odd), "-o", "json")[0])
    assert found["lastSeen"] == (times["eventTime"] or "")
    assert "text" in shown(Cluster(odd))[0]


def test_a_rule_without_events_is_said_to_have_none() -> None:
    assert shown(Cluster())[1].startswith("cpu has no Events; ")
