"""What a command would send, and when it refuses to."""

import io
import subprocess
import sys
from typing import Any

import pytest
import yaml

from plugin.cli import kubectl_flags, parse
from plugin.commands import lifecycle
from plugin.commands.backfill import is_running_request, last, request
from plugin.commands.explain import held
from plugin.commands.explain import lines as explained
from plugin.commands.plan import lines as planned
from plugin.commands.plan import local_plan
from plugin.commands.wait import final_phase
from plugin.console import Console
from plugin.formatting import dump, parse_duration
from plugin.kubectl import Kubectl, PluginError
from summaryrule.api.instant import Instant
from summaryrule.api.summary import summarize
from tests.plugin.rules import NOW, condition, rule, running

START = Instant.parse("2026-11-01T00:00:00Z")
FAILED = {"start": "2026-11-03T04:00:00Z", "end": "2026-11-03T05:00:00Z", "error": "BadInput"}


class Recorder(Kubectl):
    """A cluster of one rule that stores nothing and keeps what it was asked."""

    def __init__(self, held: dict[str, Any]) -> None:
        super().__init__("none", [])
        self.held, self.bodies = held, list[Any]()

    def rule(self, name: str) -> dict[str, Any]:
        assert name == self.held["metadata"]["name"]
        return self.held

    def patch(self, name: str, body: Any, *, dry_run: bool = False) -> dict[str, Any]:
        assert not dry_run
        self.bodies.append(body)
        return self.rule(name)


def act(held: dict[str, Any], *words: str) -> Any:
    """Run one act; the body that it sent."""
    cluster, args = Recorder(held), parse(words)
    (args.name,) = args.names
    run = getattr(lifecycle, args.command)
    assert run(cluster, args, Console(io.StringIO(), io.StringIO())) == 0
    (body,) = cluster.bodies
    return body


def test_a_new_request_leaves_nothing_of_an_older_one() -> None:
    args = parse(["backfill", "cpu", "--start", "2026-11-01"])
    assert request(args, START, extends=False)["spec"]["backfill"] == {
        "start": "2026-11-01T00:00:00Z",
        "end": None,
        "requestId": None,
        "maxInFlight": None,
        "suspend": None,
    }


def test_the_last_days_begin_at_a_whole_window() -> None:
    assert str(last(rule(), NOW, parse_duration("7d"))) == "2026-11-17T10:00:00Z"


def test_another_end_for_what_runs_changes_nothing_else() -> None:
    args = parse(["backfill", "cpu", "--start", "2026-11-01", "--end", "2026-11-25"])
    assert request(args, START, extends=True)["spec"]["backfill"] == {
        "start": "2026-11-01T00:00:00Z",
        "end": "2026-11-25T00:00:00Z",
    }


@pytest.mark.parametrize(
    ("start", "request_id", "expected"),
    [
        ("2026-11-01T00:00:00Z", None, True),
        ("2026-11-01T00:30:00Z", None, True),
        ("2026-10-31T00:00:00Z", None, False),
        ("2026-11-01T00:00:00Z", "again", False),
    ],
)
def test_a_request_that_would_end_what_runs_is_known_beforehand(
    start: str, request_id: str | None, *, expected: bool
) -> None:
    live = rule(backfill=running())
    live["spec"]["backfill"] = {"start": "2026-11-10T21:00:00Z", "end": "2026-11-24T00:00:00Z"}
    assert is_running_request(live, Instant.parse(start), request_id) is expected
    del live["spec"]["backfill"]
    assert is_running_request(live, Instant.parse(start), request_id) is None


def test_pause_and_resume_touch_the_backfill_alone_and_the_schedule_when_asked() -> None:
    live = rule(backfill=running())
    live["spec"]["backfill"] = {"start": "2026-11-10T21:00:00Z", "end": "2026-11-24T00:00:00Z"}
    assert act(live, "pause", "cpu") == {"spec": {"backfill": {"suspend": True}}}
    assert act(live, "resume", "cpu") == {"spec": {"backfill": {"suspend": False}}}
    assert act(live, "pause", "cpu", "--schedule") == {"spec": {"suspend": True}}
    assert act(live, "cancel", "cpu") == {"spec": {"backfill": None}}


@pytest.mark.parametrize("words", [("pause", "cpu"), ("cancel", "cpu"), ("retry", "cpu", "--all")])
def test_an_act_on_nothing_is_refused_in_words(words: tuple[str, ...]) -> None:
    with pytest.raises(PluginError, match=r"cpu has no (backfill|failed windows)"):
        act(rule(), *words)


def test_retry_and_skip_name_windows_in_the_annotations_that_the_worker_reads() -> None:
    stuck = rule(backfill=running(phase="Failed", failed=[FAILED]))
    every = act(stuck, "retry", "cpu", "--all")
    one = act(stuck, "skip", "cpu", "--window", FAILED["start"])
    assert every["metadata"]["annotations"] == {"adx-mon.azure.com/backfill-retry": "all"}
    assert one["metadata"]["annotations"] == {"adx-mon.azure.com/backfill-skip": FAILED["start"]}


def test_a_window_that_has_not_failed_is_refused_and_those_that_have_are_named() -> None:
    stuck = rule(backfill=running(phase="Failed", failed=[FAILED]))
    with pytest.raises(PluginError, match=r"T07:00:00Z has not failed; failed: 2026-11-03T04"):
        act(stuck, "retry", "cpu", "--window", "2026-11-03T07:00:00Z")
    with pytest.raises(PluginError, match="has neither failed nor is it still to run"):
        act(stuck, "skip", "cpu", "--window", "2026-11-25T07:00:00Z")


def test_waiting_ends_where_only_a_person_helps_and_not_before_the_change_is_seen() -> None:
    stuck = rule(backfill=running(phase="Failed"))
    stuck["spec"]["backfill"] = {"start": "2026-11-10T21:00:00Z", "end": "2026-11-24T00:00:00Z"}
    assert final_phase(stuck) == "Failed"
    stuck["metadata"]["generation"] += 1
    assert final_phase(stuck) is None
    assert final_phase(rule(backfill=running(phase="Completed"))) == "Completed"
    assert final_phase(rule(backfill=running())) is None, "canceled, and not yet recorded"
    with pytest.raises(PluginError, match="cpu has no backfill to wait for"):
        final_phase(rule())


def test_the_plan_is_the_workers_and_its_verdict_on_criteria_holds_it_back() -> None:
    due = rule(schedule={"cursor": "2026-11-24T07:00:00Z"})
    assert list(planned(local_plan(due, NOW), wide=False)) == [
        "cpu: 3 interval windows and 0 backfill windows due",
        "KIND       START                  END",
        "interval   2026-11-24T07:00:00Z   2026-11-24T08:00:00Z",
        "interval   2026-11-24T08:00:00Z   2026-11-24T09:00:00Z",
        "interval   2026-11-24T09:00:00Z   2026-11-24T10:00:00Z",
    ]
    due["spec"]["criteria"] = {"region": ["eastus"]}
    no = condition("summaryrule.adx-mon.azure.com", "CriteriaNotMet", "no criteria matched")
    due["status"]["conditions"] = [no]
    assert next(planned(local_plan(due, NOW), wide=False)).startswith("cpu: 0 interval windows")
    assert "| " in "\n".join(planned(local_plan(rule(), NOW), wide=True))


def test_a_plan_and_its_reasons_can_be_printed_as_yaml() -> None:
    stopped = rule(schedule={"cursor": "2026-11-24T07:00:00Z"})
    stopped["spec"]["suspend"] = True
    found = local_plan(stopped, NOW)
    (text,) = dump(
        {"plan": found, "held": list(held(stopped, summarize(stopped, NOW), NOW))}, "yaml"
    )
    assert text.count("reason: Suspended") == 2
    assert [each["reason"] for each in yaml.safe_load(text)["plan"]["held"]] == ["Suspended"]


def test_each_reason_comes_with_what_to_do() -> None:
    stuck = rule(backfill=running(phase="Failed", failed=[FAILED], lastError="BadInput: no table"))
    stuck["spec"] |= {"backfill": {"start": "2026-11-03T04:00:00Z", "end": "2026-11-24T00:00:00Z"}}
    seen = summarize(stuck, NOW)
    said = "\n".join(explained(seen, list(held(stuck, seen, NOW)), plain=True))
    assert "Held: BackfillFailed: window [2026-11-03T04:00:00Z, " in said
    assert "kubectl summaryrule retry cpu --all" in said
    well = rule(schedule={"cursor": "2026-11-24T10:00:00Z", "lastDone": "2026-11-24T10:00:00Z"})
    assert list(held(well, summarize(well, NOW), NOW)) == []


def test_flags_that_choose_the_cluster_go_to_kubectl_as_they_are() -> None:
    args = parse(["status", "-n", "x", "--context=c", "--as", "ada"])
    assert kubectl_flags(args) == ["--namespace=x", "--context=c", "--as=ada"]


@pytest.mark.parametrize(
    "words",
    [
        ["backfill", "cpu"],
        ["backfill", "--last", "7d"],
        ["backfill", "cpu", "--start", "2026-11-01", "--last", "7d"],
        ["backfill", "cpu", "--last", "7d", "--max-in-flight", "21"],
        ["retry", "cpu"],
        ["skip", "cpu"],
        ["status", "-o", "csv"],
    ],
)
def test_bad_usage_is_two_and_one_line(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        parse(words)
    assert stopped.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("--help")


def test_the_quick_commands_load_no_model() -> None:
    """A start of a tenth of a second: pydantic alone takes three."""
    commands = ("status", "lifecycle", "wait", "backfill")
    modules = ["plugin.__main__", "plugin.completion", *(f"plugin.commands.{n}" for n in commands)]
    code = f"import {', '.join(modules)}, sys; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {"pydantic", "yaml", "asyncio", "summaryrule.api.v1"} & set(loaded)
