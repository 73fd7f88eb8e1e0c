"""`make prove-query-checks`: 1,000 rules are applied at once, and each query is checked.

The endpoint takes a second for each check, so the checks last for minutes. No window waits for
them: all are done long before the last check, and meanwhile an earlier rule of one minute is on
time.
"""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from devstack.stack import Stack
from summaryrule.api.duration import Duration
from summaryrule.api.instant import TICKS_PER_SECOND, Instant
from tests.e2e.api import RULES
from tests.e2e.candidates import Candidate, candidates
from tests.e2e.faults import Faults, fault
from tests.e2e.fixtures import Sandbox, SandboxMaker, now
from tests.e2e.gateway import Effect
from tests.e2e.proofs.say import say

RULES_AT_ONCE = 1000
CHECKS_AT_ONCE = 4
CHECK_SECONDS = 1.0
MINUTE = Duration.parse("1m")
SUBMIT = "Kusto: submit "
LABEL = "many"

INVALID = {
    "| where Valu > 0 | count": ("SEM", "'Valu'"),
    "| sumarize count()": ("SYN", "sumarize"),
    "| summarize sum(tostring(Value))": ("SEM", "sum"),
    "| join NoSuchTable on Timestamp | count": ("SEM", "NoSuchTable"),
}
"""What makes a body invalid, with the kind of Kusto's error and a word of it."""
INVALID_EACH = 10

pytestmark = [pytest.mark.e2e, pytest.mark.proof, pytest.mark.timeout(1200)]


@pytest.fixture
def worker(bare: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Candidate]:
    with candidates(bare, tmp_path_factory.mktemp("worker"), "worker-3") as (only,):
        only.start(f"--query-checks={CHECKS_AT_ONCE}")
        yield only


def many_rules(sandbox: Sandbox) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """The rules, and the end of the body of those that are invalid, by name."""
    endings = [ending for ending in INVALID for _ in range(INVALID_EACH)]
    rules, invalid = [], dict[str, str]()
    for number in range(RULES_AT_ONCE):
        made = sandbox.rule(suspend=False, table=f"{sandbox.table}_{number}")
        name = f"{sandbox.name}-{number:04}"
        made["metadata"] |= {"name": name, "labels": {LABEL: sandbox.name}}
        if number % (RULES_AT_ONCE // len(endings)) == 0:
            invalid[name] = endings[len(invalid)]
            bounds = "| where Timestamp between (_startTime .. _endTime)"
            made["spec"]["body"] = f"{sandbox.raw}\n{bounds}\n{invalid[name]}\n"
        rules.append(made)
    assert len(invalid) == len(endings)
    return rules, invalid


def stored(sandbox: Sandbox) -> dict[str, dict[str, Any]]:
    """The conditions and the schedule of the many rules, by name."""
    listed = sandbox.api.get(f"{RULES}?labelSelector={LABEL}%3D{sandbox.name}")["items"]
    return {
        each["metadata"]["name"]: {
            "schedule": each.get("status", {}).get("schedule", {}),
            "query": next(
                (
                    condition
                    for condition in each.get("status", {}).get("conditions", ())
                    if condition["type"] == "QueryValid"
                ),
                {},
            ),
        }
        for each in listed
    }


def is_done(found: dict[str, Any]) -> bool:
    return "lastDone" in found["schedule"]


def is_answered(found: dict[str, Any]) -> bool:
    return bool(found["query"].get("status", "Unknown") != "Unknown")


def count(found: dict[str, dict[str, Any]], predicate: Callable[[dict[str, Any]], bool]) -> int:
    return sum(predicate(each) for each in found.values())


@dataclass(frozen=True)
class Sent:
    """A window of the earlier rule: when it ended, and when it was sent, of `time.monotonic`."""

    start: str
    ended: float
    sent: float

    @property
    def late(self) -> float:
        """Seconds from the end of the window to its submit."""
        return self.sent - self.ended


def sent_of(table: str, effects: list[Effect]) -> list[Sent]:
    """The windows of the rule with this table, in the order in which they were sent."""
    begun = (time.monotonic(), now().ticks)
    found = []
    for each in effects:
        if each.table == table:
            start = each.what.removeprefix(SUBMIT)
            ago = begun[1] - Instant.parse(start).plus(MINUTE.ticks).ticks
            found.append(Sent(start, begun[0] - ago / TICKS_PER_SECOND, each.at))
    return found


def until(
    sandbox: Sandbox, predicate: Callable[[dict[str, Any]], bool], wanted: int, seconds: float
) -> dict[str, dict[str, Any]]:
    """Wait until `predicate` is true for `wanted` rules; return all rules."""
    give_up_at = time.monotonic() + seconds
    while count(found := stored(sandbox), predicate) < wanted:
        assert time.monotonic() < give_up_at, f"{count(found, predicate)} of {wanted} rules"
        time.sleep(2)
    return found


def check_answers(found: dict[str, dict[str, Any]], invalid: dict[str, str]) -> None:
    """Each rule has the right answer; no window of an invalid query ran or failed."""
    for name, each in found.items():
        query = each["query"]
        if name not in invalid:
            assert (query["status"], query["reason"]) == ("True", "Valid"), query
            continue
        code, word = INVALID[invalid[name]]
        assert (query["status"], query["reason"]) == ("False", "QueryInvalid"), query
        assert code in query["message"], query
        assert word in query["message"], query
        assert "[line 3, position " in query["message"], query
        assert "lastDone" not in each["schedule"], name
        assert not each["schedule"].get("failed"), name


def test_the_checks_of_1000_rules_delay_no_window(
    worker: Candidate, bare_sandbox: SandboxMaker, bare_faults: Faults
) -> None:
    earlier, sandbox = bare_sandbox("earlier"), bare_sandbox("many")
    earlier.admit(earlier.rule(suspend=False, interval="1m"))
    earlier.until(lambda rule: rule["status"]["schedule"]["lastDone"], "the first window")
    bare_faults.set(fault("request-latency", match="getschema", seconds=CHECK_SECONDS))
    gateway, began = worker.gateway, time.monotonic()
    gateway.watch()
    rules, invalid = many_rules(sandbox)
    listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": rules})

    applied = sandbox.kubectl("apply", "--server-side", "-f", "-", stdin=listed, seconds=400)
    assert applied.returncode == 0, applied.stderr
    all_applied = time.monotonic()
    found = until(sandbox, is_done, RULES_AT_ONCE - len(invalid), 600)
    all_done, answered = time.monotonic(), count(found, is_answered)
    found = until(sandbox, is_answered, RULES_AT_ONCE, 1000)
    all_answered, questions = time.monotonic(), gateway.questions
    minutes = sent_of(earlier.table, gateway.effects)
    alone = [each.late for each in minutes if each.ended > all_done]

    say(f"\n{RULES_AT_ONCE} rules, {len(invalid)} of them with an invalid query")
    for text, figure in {
        "all rules applied after, in s": all_applied - began,
        "all windows of the valid rules done after, in s": all_done - began,
        "rules with QueryValid at that time": answered,
        "all rules with QueryValid after, in s": all_answered - began,
        "requests of checks": questions.asked,
        "requests of checks at once, at most": questions.most_at_once,
        "windows of an earlier rule with interval 1m": len(minutes),
        "sent after their end, in s, at most": max(each.late for each in minutes),
        "those due when only checks were left": len(alone),
        "these sent after their end, in s, at most": max(alone),
    }.items():
        say(f"{text:52}{figure:8.0f}")
    say(f"reasons: {dict(Counter(each['query']['reason'] for each in found.values()))}")

    assert 1 < questions.most_at_once <= CHECKS_AT_ONCE
    assert answered < RULES_AT_ONCE, "the windows waited for the checks"
    starts = {each.start for each in minutes}
    assert len(minutes) == len(starts) >= (all_answered - began) // 60 - 1
    assert max(each.late for each in minutes) < all_done - began, "it waited for more than windows"
    assert max(alone) < MINUTE.ticks / TICKS_PER_SECOND, "it waited for checks"
    check_answers(found, invalid)
