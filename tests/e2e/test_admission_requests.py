"""What kubectl prints for what admission takes, changes or cannot read; and what is stored."""

import json
from collections.abc import Mapping
from functools import partial
from typing import Any

import pytest

from devstack.stack import Stack
from summaryrule.api.instant import Instant
from summaryrule.api.windows import floor
from tests.e2e.fixtures import HOUR, backfill, now
from tests.e2e.kubectl import RESOURCE, Kubectl, Said, at_path, side_by_side
from tests.e2e.manifests import ADMIN, END, REQUESTER, START, asking, rule
from tests.e2e.table import DRY, UNCHECKED, Answers, Case, invalid

SECOND = 10_000_000
MUTATED = "mutate.summaryrules.adx-mon.azure.com/decision"
VALIDATED = "validate.summaryrules.adx-mon.azure.com/decision"
RANGE = "validate.summaryrules.adx-mon.azure.com/requested-range"
WINDOWS = "validate.summaryrules.adx-mon.azure.com/windows"
WHOLE = f"[{START}, {END})"
_REQUIRED = ("body", "database", "interval", "table")
_INVALID = 'error: error validating "STDIN": error validating data'
_UNTYPED = (
    "Error from server: failed to create typed patch object (default/it; adx-mon.azure.com/v1,"
    " Kind=SummaryRule):"
)
_TURN_OFF = "; if you choose to ignore these errors, turn validation off with --validate=false"
NO_BOUNDS = (
    "spec.body: does not use _startTime and _endTime, so every window reads the same data; add:"
    " where Timestamp between (_startTime .. _endTime)"
)


def _taken(
    manifest: dict[str, Any], *warnings: str, words: tuple[str, ...] = ("apply",), did: str = ""
) -> Case:
    lines = tuple(f"Warning: {each}" for each in warnings)
    done = did or ("serverside-applied" if "--server-side" in words else "created")
    name = f"{RESOURCE}/it {done} (server dry run)"
    return Case((*words, *DRY), manifest, Said(0, (name,), lines))


def _said(words: tuple[str, ...], manifest: dict[str, Any] | str, *lines: str) -> Case:
    return Case((*words, *DRY), manifest, Said(1, (), lines))


def _moved(field: str, start: object, to: object, interval: str = "1h") -> str:
    return f"spec.backfill.{field}: aligned to whole windows of {interval}: from {start} to {to}"


def _in_utc(field: str, start: object, to: object) -> str:
    return f"spec.backfill.{field}: written in UTC: from {start} to {to}"


def taken(at: Instant) -> Mapping[str, Case]:
    """What is stored, with a warning for each value that was changed."""
    off_start, off_end = START.plus(SECOND), END.plus(-SECOND)
    zone = f"{str(START.plus(2 * HOUR.ticks)).removesuffix('Z')}+02:00"
    this_hour = floor(at, HOUR)
    ahead = this_hour.plus(5 * HOUR.ticks)
    not_given = "spec.backfill.end: not given; set to"
    waiting = "is in the future; its last windows wait until they are due"
    return {
        "a plain rule": _taken(rule()),
        "a plain rule, created": _taken(rule(), words=("create",)),
        "a plain rule, applied on the server": _taken(rule(), words=("apply", "--server-side")),
        "a rule with every field": _taken(
            asking(requestId="again", maxInFlight=20, suspend=True)
            | {"spec": {**asking()["spec"], "criteria": {"region": ["eu"]}, "name": "old"}}
        ),
        "an aligned range": _taken(asking()),
        "an unaligned range": _taken(
            rule(backfill=backfill(off_start, off_end)),
            _moved("start", off_start, START),
            _moved("end", off_end, END),
        ),
        "an unaligned range, applied on the server": _taken(
            rule(backfill=backfill(off_start, off_end)),
            _moved("start", off_start, START),
            _moved("end", off_end, END),
            words=("apply", "--server-side"),
        ),
        "a range of one tick": _taken(
            rule(backfill=backfill(START.plus(1), START.plus(2))),
            _moved("start", START.plus(1), START),
            _moved("end", START.plus(2), START.plus(HOUR.ticks)),
        ),
        "an offset": _taken(
            rule(backfill={"start": zone, "end": str(END)}), _in_utc("start", zone, START)
        ),
        "zeros at the end of a second": _taken(
            rule(backfill={"start": str(START), "end": str(END).replace("Z", ".000Z")}),
            _in_utc("end", str(END).replace("Z", ".000Z"), END),
        ),
        "no end": _taken(
            rule(backfill={"start": str(START)}),
            f"{not_given} {this_hour}, the end of the last complete window",
        ),
        "no end, with a delay of two hours": _taken(
            rule(ingestionDelay="2h", backfill={"start": str(START)}),
            f"{not_given} {this_hour.plus(-2 * HOUR.ticks)}, the end of the last complete window",
        ),
        "no ingestion delay": _taken(rule(ingestionDelay=...)),
        "a body that ignores its bounds": _taken(rule(body="T | count"), NO_BOUNDS),
        "a range that the schedule runs too": _taken(
            rule(suspend=False, backfill=backfill(START, this_hour)),
        ),
        "an end in the future": _taken(
            rule(backfill=backfill(START, ahead)),
            f"spec.backfill.end: {ahead} {waiting}",
        ),
        "a forged operationId": _taken(
            asking(operationId="forged"),
            "spec.backfill.operationId: is set by the worker only; put back",
        ),
        "a forged requester": _taken(
            _as_asked_by("somebody-else"),
            f"metadata.annotations[{REQUESTER}]: is set by admission; put back",
        ),
        "names that are words of KQL": _taken(rule(table="and", database="true")),
        "a name of spaces, dots and dashes": _taken(rule(table="a b.c-d_e")),
        "the longest name": _taken(rule(table="T" * 1024)),
        "an interval of minutes": _taken(rule(interval="1h30m")),
        "an interval of a month": _taken(rule(interval="720h")),
        "a fraction of an hour": _taken(rule(interval="0.5h")),
        "an expression over labels": _taken(
            rule(criteriaExpression="region in ['eu', 'us'] && env == 'prod'")
        ),
    }


def _as_asked_by(user: str) -> dict[str, Any]:
    manifest = asking()
    manifest["metadata"]["annotations"][REQUESTER] = user
    return manifest


def unread(at: Instant) -> Mapping[str, Case]:
    """What is no SummaryRule of ours; refused before, or beside, what admission says."""
    del at  # nobody looks at a clock here
    bad = "Error from server (BadRequest)"
    strict = (
        f'{bad}: error when creating "STDIN": SummaryRule in version "v1" cannot be handled as a'
        " SummaryRule: strict decoding error: unknown field "
    )
    theirs = {"requestId": "jan", "startTime": str(START), "endTime": str(END)}
    return {
        "an unknown field": _said(("apply",), rule(intervall="1h"), f'{strict}"spec.intervall"'),
        "an unknown field of a backfill": _said(
            ("create",), asking(from_="x"), f'{strict}"spec.backfill.from_"'
        ),
        "an unknown field that is to be dropped": _taken(
            rule(intervall="1h"), words=("create", "--validate=ignore")
        ),
        "an unknown field, applied on the server": _said(
            ("apply", "--server-side"),
            rule(intervall="1h"),
            f"{_UNTYPED} .spec.intervall: field not declared in schema",
        ),
        "a number for a text, applied on the server": _said(
            ("apply", "--server-side"),
            rule(interval=3600),
            f"{_UNTYPED} .spec.interval: expected string, got"
            " &value.valueUnstructured{Value:3600}",
        ),
        "upstream's backfill": _said(
            ("apply",),
            rule(backfill={**theirs, "endTime": "tomorrow"}),
            *(
                f"Warning: spec.backfill.{each}Time: is adx-mon's field; it was copied to"
                f" spec.backfill.{each}; write {each}"
                for each in ("start", "end")
            ),
            *invalid(
                "it",
                (
                    (
                        'spec.backfill.end: Invalid value: "tomorrow": must be an RFC 3339 time'
                        " with an upper-case T, an upper-case Z or an offset, and at most 7"
                        " fraction digits, such as 2026-01-31T13:00:00Z"
                    ),
                ),
            ),
        ),
        "a version that there is not": _said(
            ("apply",),
            {**rule(), "apiVersion": "adx-mon.azure.com/v2"},
            'error: resource mapping not found for name: "it" namespace: "default" from "STDIN": no'
            ' matches for kind "SummaryRule" in version "adx-mon.azure.com/v2"',
            "ensure CRDs are installed first",
        ),
        "no name": _said(
            ("create",),
            {**rule(), "metadata": {"namespace": "default"}},
            *invalid(
                "",
                ("metadata.name: Required value: name or generateName is required", UNCHECKED),
            ),
        ),
        "a spec that is a number": _said(
            ("create",),
            {**rule(), "spec": 7},
            *invalid(
                "it",
                (
                    (
                        'spec: Invalid value: "integer": spec in body must be of type object:'
                        ' "integer"'
                    ),
                    UNCHECKED,
                ),
            ),
        ),
        "an empty spec": _said(
            ("create",),
            {**rule(), "spec": {}},
            *invalid(
                "it",
                (
                    *(f"spec.{each}: Required value" for each in _REQUIRED),
                    UNCHECKED,
                ),
            ),
        ),
        "text that is no YAML": _said(
            ("apply",),
            "apiVersion: v1\n\tkind: x\n",
            "error: error parsing STDIN: error converting YAML to JSON: yaml: line 2: found a tab"
            " character that violates indentation",
        ),
        "text that ends in the middle": _said(
            ("apply",), '{"kind":', "error: error parsing STDIN: unexpected EOF"
        ),
        "a list": _said(
            ("apply",),
            "- apiVersion: v1\n",
            f"{_INVALID}: invalid object to validate{_TURN_OFF}",
        ),
        "no kind": _said(
            ("apply",),
            "metadata: {name: it}\n",
            f"{_INVALID}: [apiVersion not set, kind not set]{_TURN_OFF}",
        ),
        "nothing": _said(("apply",), "", "error: no objects passed to apply"),
        "lists in lists, ten thousand deep": _said(
            ("create",),
            '{"kind": "SummaryRule", "spec": ' + "[" * 20_000 + "]" * 20_000 + "}",
            "error: error parsing STDIN: json: offset 10032: invalid character '[' exceeded max"
            " depth",
        ),
        "a name in capitals": _said(
            ("create",),
            rule("Daily_Report"),
            'The SummaryRule "Daily_Report" is invalid: metadata.name: Invalid value:'
            ' "Daily_Report": a lowercase RFC 1123 subdomain must consist of lower case'
            " alphanumeric characters, '-' or '.', and must start and end with an alphanumeric"
            " character (e.g. 'example.com', regex used for validation is"
            " '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
        ),
        "a body of four megabytes": _said(
            ("create",),
            rule(body="T" * 4_000_000),
            'Error from server (RequestEntityTooLarge): error when creating "STDIN": Request entity'
            " too large: limit is 3145728",
        ),
    }


def table(at: Instant) -> Mapping[str, Case]:
    return {**taken(at), **unread(at)}


@pytest.fixture(scope="module")
def kubectl(stack: Stack) -> Kubectl:
    return Kubectl.of(stack)


@pytest.fixture(scope="module")
def answers(kubectl: Kubectl) -> Answers:
    return Answers.of(kubectl, table)


@pytest.mark.parametrize("name", table(now()))
def test_kubectl_prints(answers: Answers, name: str) -> None:
    answers.check(name)


def test_the_audit_log_says_what_was_decided(kubectl: Kubectl, answers: Answers) -> None:
    assert answers.said
    refused = kubectl.feed(rule(body=".show tables"), "create", *DRY)
    assert refused.code == 1
    found = audited(kubectl)
    judged = {(each[VALIDATED], each.get(MUTATED), each.get(RANGE)) for each in found}
    assert ("allowed", "patched", WHOLE) in judged
    assert ("denied", None, None) in judged
    assert {each[WINDOWS] for each in found if each.get(RANGE) == WHOLE} == {"6"}


def audited(kubectl: Kubectl) -> list[dict[str, str]]:
    """The annotations of every request that admission judged."""
    lines = kubectl.stack.audit.read_text().splitlines()
    found = [json.loads(line).get("annotations", {}) for line in lines if VALIDATED in line]
    return [each for each in found if VALIDATED in each]


STORED: dict[str, tuple[dict[str, Any], str, object]] = {
    "an unaligned start": (
        rule(backfill=backfill(START.plus(1), END)),
        "spec.backfill.start",
        str(START),
    ),
    "an unaligned end": (
        rule(backfill=backfill(START, END.plus(-1))),
        "spec.backfill.end",
        str(END),
    ),
    "no ingestion delay": (rule(ingestionDelay=...), "spec.ingestionDelay", "0s"),
    "an empty ingestion delay": (rule(ingestionDelay=""), "spec.ingestionDelay", "0s"),
    "a forged operationId": (asking(operationId="x"), "spec.backfill.operationId", None),
    "a range": (asking(), f"metadata.annotations.{REQUESTER}", ADMIN),
    "a forged requester": (
        _as_asked_by("somebody-else"),
        f"metadata.annotations.{REQUESTER}",
        ADMIN,
    ),
}


@pytest.fixture(scope="module")
def stored(kubectl: Kubectl) -> dict[str, dict[str, Any]]:
    asks = {
        name: partial(kubectl.feed, manifest, "apply", *DRY, "-o", "json")
        for name, (manifest, _, _) in STORED.items()
    }
    return {name: json.loads("".join(said.out)) for name, said in side_by_side(asks).items()}


@pytest.mark.parametrize("name", STORED)
def test_what_is_stored_is_what_was_said(stored: dict[str, dict[str, Any]], name: str) -> None:
    _, path, value = STORED[name]
    assert at_path(stored[name], path) == value
