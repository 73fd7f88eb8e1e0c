"""What kubectl prints when stored rules are edited: the ratchet, forgery, deletion.

Each rule below is stored once and goes through its steps in order; rules go side by side.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest

from devstack.stack import Stack
from summaryrule.api.instant import TICKS_PER_DAY, Instant
from summaryrule.api.windows import floor
from tests.e2e.fixtures import HOUR, hours_ago, now
from tests.e2e.kubectl import RESOURCE, WORKER, Kubectl, Said, at_path, side_by_side
from tests.e2e.manifests import ADMIN, END, REQUESTER, START, asking, rule
from tests.e2e.table import DRY, invalid

AGED, STALE, BROKEN, LIVE, DONE = "adm-aged", "adm-stale", "adm-broken", "adm-live", "adm-done"
LONG_AGO, LESS_LONG_AGO, CURSOR = hours_ago(60 * 24), hours_ago(40 * 24), hours_ago(6)
CRD = "summaryrules.adx-mon.azure.com"
RULES = "schema.openAPIV3Schema.properties.spec.properties.backfill.x-kubernetes-validations"
PUT_BACK = "spec.backfill.operationId: is set by the worker only; put back"


@dataclass(frozen=True, slots=True)
class Step:
    """One command on a stored rule, and what is printed."""

    title: str
    words: tuple[str, ...]
    said: Said
    feed: str = ""


def _step(
    title: str, name: str, words: Sequence[str], did: str, *warnings: str, feed: str = ""
) -> Step:
    lines = tuple(f"Warning: {each}" for each in warnings)
    return Step(title, tuple(words), Said(0, (f"{RESOURCE}/{name} {did}",), lines), feed)


def _edit(
    title: str, name: str, spec: Mapping[str, Any], *warnings: str, did: str = "patched"
) -> Step:
    return _step(title, name, _merge(name, {"spec": spec}), did, *warnings)


def _refused(title: str, name: str, spec: Mapping[str, Any], *causes: str) -> Step:
    said = Said(1, (), invalid(name, causes))
    return Step(title, tuple(_merge(name, {"spec": spec})), said)


def _merge(name: str, change: Mapping[str, Any], *more: str) -> list[str]:
    return ["patch", RESOURCE, name, "--type=merge", *more, "-p", json.dumps(change)]


def _holding(name: str, *finalizers: str) -> Sequence[str]:
    return _merge(name, {"metadata": {"finalizers": finalizers}})


def untouched(name: str, *warnings: str) -> list[Step]:
    """What is never judged, whatever is stored."""
    status = _merge(name, {"status": {"schedule": {"cursor": str(START)}}}, "--subresource=status")
    steps = {
        "a label": (("label", RESOURCE, name, "team=metrics"), "labeled"),
        "an annotation": (("annotate", RESOURCE, name, "why=since"), "annotated"),
        "a finalizer": (_holding(name, "example.com/hold"), "patched"),
        "a status": (status, "patched"),
        "no finalizer": (_holding(name), "patched"),
    }
    return [_step(title, name, words, did, *warnings) for title, (words, did) in steps.items()]


def _deleted(name: str) -> Step:
    out = f'{RESOURCE} "{name}" deleted from default namespace'
    return Step("a deletion", ("delete", RESOURCE, name), Said(0, (out,), ()))


def aged(at: Instant) -> list[Step]:
    """A backfill that was asked for in time and has since become 60 days old."""
    earliest = floor(at.plus(-30 * TICKS_PER_DAY), HOUR)
    too_old = f"is more than 30 days ago; write {earliest} or later"
    bound = "spec.backfill.maxInFlight"
    return [
        _step("a label", AGED, ("label", RESOURCE, AGED, "team=metrics"), "labeled"),
        _edit("another field", AGED, {"ingestionDelay": "5m"}),
        _edit("the interval", AGED, {"interval": "2h"}),
        _edit("the interval back", AGED, {"interval": "1h"}),
        _edit("more in flight", AGED, {"backfill": {"maxInFlight": 5}}),
        _refused(
            "too many in flight",
            AGED,
            {"backfill": {"maxInFlight": 21}},
            f"{bound}: Invalid value: 21: {bound} in body should be less than or equal to 20",
        ),
        _edit("a pause", AGED, {"backfill": {"suspend": True}}),
        _edit("a later end", AGED, {"backfill": {"end": str(hours_ago(2))}}),
        _refused(
            "another old start",
            AGED,
            {"backfill": {"start": str(LESS_LONG_AGO)}},
            f'spec.backfill.start: Invalid value: "{LESS_LONG_AGO}": {too_old}',
        ),
        _refused(
            "an old end",
            AGED,
            {"backfill": {"end": str(LESS_LONG_AGO)}},
            f'spec.backfill.end: Invalid value: "{LESS_LONG_AGO}": {too_old}',
        ),
        _refused(
            "a new requestId",
            AGED,
            {"backfill": {"requestId": "again"}},
            f'spec.backfill.start: Invalid value: "{LONG_AGO}": {too_old}',
        ),
        _edit("no backfill", AGED, {"backfill": None}),
        _deleted(AGED),
    ]


def stale(_: Instant) -> list[Step]:
    """A body and an interval that admission would refuse, stored before it did."""
    command = "is a management command; write a query, the worker wraps it in .set-or-append"
    return [
        _step("a label", STALE, ("label", RESOURCE, STALE, "team=metrics"), "labeled"),
        _edit("another field", STALE, {"ingestionDelay": "5m"}),
        _refused(
            "another command",
            STALE,
            {"body": ".drop table T"},
            f'spec.body: Invalid value: ".drop table T": {command}',
        ),
        _deleted(STALE),
    ]


def broken(_: Instant) -> list[Step]:
    """A start after its end, stored while the CRD did not look."""

    def words(start: Instant) -> str:
        return (
            f"spec.backfill.start: Invalid value: start {start} must be before end {END}: the range"
            " is half-open, [start, end); write an earlier start or a later end"
        )

    stored = words(hours_ago(2))  # the server warns of what it lets be
    return [
        *untouched(BROKEN, stored),
        _edit("another field", BROKEN, {"ingestionDelay": "5m"}, stored),
        _refused(
            "another bad start",
            BROKEN,
            {"backfill": {"start": str(hours_ago(1))}},
            words(hours_ago(1)),
        ),
        _deleted(BROKEN),
    ]


def live(_: Instant) -> list[Step]:
    """A running backfill, done until three hours after its start."""
    wrong = f"metadata.annotations[{REQUESTER}]: is set by admission; put back"
    inside = START.plus(HOUR.ticks)
    manifest = json.dumps(asking(LIVE))
    wider = {"op": "replace", "path": "/spec/backfill/maxInFlight", "value": 3}
    forged = {"op": "replace", "path": "/spec/backfill/operationId", "value": "mine"}
    return [
        _edit("a forged operation", LIVE, {"backfill": {"operationId": "mine"}}, PUT_BACK),
        _edit("no operation", LIVE, {"backfill": {"operationId": None}}),
        _step(
            "a forged operation by JSON patch",
            LIVE,
            ("patch", RESOURCE, LIVE, "--type=json", "-p", json.dumps([forged])),
            "patched",
            PUT_BACK,
        ),
        _step(
            "more in flight by JSON patch",
            LIVE,
            ("patch", RESOURCE, LIVE, "--type=json", "-p", json.dumps([wider])),
            "patched",
        ),
        _edit("the start that was asked for", LIVE, {"backfill": {"start": str(START)}}),
        _edit(
            "a start in what is done",
            LIVE,
            {"backfill": {"start": str(inside)}},
            f"spec.backfill.start: {inside} lies inside the running backfill, which is done until"
            f" {CURSOR}; nothing that has run runs again without a new requestId",
            did="patched (no change)",
        ),
        _edit("a later end", LIVE, {"backfill": {"end": str(hours_ago(2))}}),
        _edit("the end as before", LIVE, {"backfill": {"end": str(END)}}),
        _step(
            "another requester",
            LIVE,
            ("annotate", RESOURCE, LIVE, "--overwrite", f"{REQUESTER}=mallory"),
            "annotated",
            wrong,
        ),
        _step(
            "no requester",
            LIVE,
            ("annotate", RESOURCE, LIVE, f"{REQUESTER}-"),
            "annotated",
        ),
        _step(
            "the manifest, applied as somebody else",
            LIVE,
            ("apply", "--as=mallory", "--as-group=system:masters", "-f", "-"),
            "configured",
            feed=manifest,
        ),
        _step("the manifest, replaced", LIVE, ("replace", "-f", "-"), "replaced", feed=manifest),
    ]


def done(_: Instant) -> list[Step]:
    """A backfill that history has, and that git still asks for."""
    ran = (
        f"spec.backfill: from {START} was done at {hours_ago(1)} up to {END} and is not run again;"
        " to run it again set spec.backfill.requestId to a new value"
    )
    again = {"start": str(START), "end": str(END), "requestId": "again"}
    twice = (
        "spec.backfill: windows whose rows may be in the table already are appended again: from"
        f" [{START}, {END}) (written with tokens of another backfill); remove these rows first, or"
        " leave the windows out"
    )
    return [
        _edit(
            "the same range",
            DONE,
            {"backfill": asking()["spec"]["backfill"]},
            ran,
        ),
        _edit("the same range under a new requestId", DONE, {"backfill": again}, twice),
        _deleted(DONE),
    ]


STEPS = {AGED: aged, STALE: stale, BROKEN: broken, LIVE: live, DONE: done}


@dataclass(frozen=True, slots=True)
class Walked:
    """What was printed at each step, and the rule as stored at the end."""

    steps: Sequence[Step]
    said: Sequence[Said]


@pytest.fixture(scope="module")
def kubectl(stack: Stack) -> Iterator[Kubectl]:
    made = Kubectl.of(stack)
    yield made
    made.must("delete", RESOURCE, *STEPS, "--ignore-not-found", "--wait=false")


@pytest.fixture(scope="module")
def walked(kubectl: Kubectl) -> dict[str, Walked]:
    prepare(kubectl)
    at = now()
    return side_by_side({name: partial(_walk, kubectl, steps(at)) for name, steps in STEPS.items()})


def _walk(kubectl: Kubectl, steps: Sequence[Step]) -> Walked:
    return Walked(steps, [kubectl.ask(*step.words, feed=step.feed) for step in steps])


def prepare(kubectl: Kubectl) -> None:
    """Store the rules; what admission would not take now the worker writes, unjudged."""
    for name in (AGED, BROKEN, LIVE):
        kubectl.store(asking(name))
    for name in (STALE, DONE):
        kubectl.store(rule(name))
    kubectl.as_worker(AGED, {"spec": {"backfill": {"start": str(LONG_AGO)}}})
    kubectl.as_worker(STALE, {"spec": {"body": ".show tables", "interval": "1m1ns"}})
    kubectl.as_worker(LIVE, {"spec": {"backfill": {"start": str(CURSOR), "operationId": "op-1"}}})
    kubectl.set_status(LIVE, {"backfill": _running()})
    kubectl.set_status(DONE, {"backfillHistory": [_record()]})
    _store_out_of_order(kubectl)


def _running() -> dict[str, str]:
    return {
        "requestKey": "key",
        "requestedStart": str(START),
        "requestedEnd": str(END),
        "requestedBy": ADMIN,
        "phase": "Running",
        "doneUntil": str(CURSOR),
    }


def _record() -> dict[str, str]:
    return {
        "key": "key",
        "start": str(START),
        "end": str(END),
        "by": ADMIN,
        "phase": "Completed",
        "doneUntil": str(END),
        "finishedAt": str(hours_ago(1)),
    }


def _store_out_of_order(kubectl: Kubectl) -> None:
    """Store a start after its end while the CRD has no rule about that."""
    had = json.loads("".join(kubectl.must("get", "crd", CRD, "-o", "json").out))
    rules = at_path(had["spec"]["versions"][0], RULES)
    _set_rules(kubectl, [each for each in rules if "timestamp(" not in each["rule"]])
    late = {"spec": {"backfill": {"start": str(hours_ago(2))}}}
    as_worker = ("--type=merge", f"--as={WORKER}")
    _until(lambda: kubectl.patch(BROKEN, late, *as_worker).code == 0)
    _set_rules(kubectl, rules)
    later = {"spec": {"backfill": {"start": str(hours_ago(1))}}}
    _until(lambda: kubectl.patch(BROKEN, later, *as_worker, *DRY).code == 1)


def _set_rules(kubectl: Kubectl, rules: Sequence[Mapping[str, Any]]) -> None:
    path = "/spec/versions/0/" + RULES.replace(".", "/")
    change = json.dumps([{"op": "replace", "path": path, "value": rules}])
    kubectl.must("patch", "crd", CRD, "--type=json", "-p", change)


def _until(holds: Callable[[], bool]) -> None:
    last = time.monotonic() + 30.0
    while not holds():
        assert time.monotonic() < last, "the definition does not change"


@pytest.mark.parametrize(
    ("name", "number"),
    [
        pytest.param(name, number, id=f"{name}: {step.title}")
        for name, steps in STEPS.items()
        for number, step in enumerate(steps(now()))
    ],
)
def test_kubectl_prints(walked: dict[str, Walked], name: str, number: int) -> None:
    walk = walked[name]
    said, expected = walk.said[number], walk.steps[number].said
    assert said == expected, f"\n{said}\nis not\n{expected}"


def test_the_live_cursor_and_the_requester_have_stayed(
    kubectl: Kubectl, walked: dict[str, Walked]
) -> None:
    assert walked
    stored = kubectl.get(LIVE)
    assert stored["spec"]["backfill"]["start"] == str(CURSOR)
    assert stored["spec"]["backfill"]["operationId"] == "op-1"
    assert stored["metadata"]["annotations"][REQUESTER] == ADMIN
