"""Properties of defaulting, for objects from plausible to absurd."""

import copy
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from summaryrule.admission.defaulting import apply_defaults
from summaryrule.admission.validation import review
from summaryrule.api.instant import Instant
from tests.api.properties.strategies import json_values, objects, recent
from tests.manifests import WORKER, parse_cel, rule

_users = st.sampled_from(["alice", "bob"])
_olds = st.none() | objects()
_ids = st.sampled_from([None, "one", "two"])


def _default(old: Any, new: Any, user: str, now: Instant) -> Any:
    return apply_defaults(old, new, user=user, worker=WORKER, now=now)


@settings(max_examples=200)
@given(_olds, objects(), _users, recent)
def test_defaulting_twice_is_defaulting_once(
    old: dict[str, Any] | None, new: dict[str, Any], user: str, now: Instant
) -> None:
    once = _default(old, new, user, now).object
    assert _default(old, once, user, now).object == once


@settings(max_examples=200)
@given(_olds, objects(), _users, recent)
def test_defaulting_changes_neither_argument(
    old: dict[str, Any] | None, new: dict[str, Any], user: str, now: Instant
) -> None:
    before = copy.deepcopy((old, new))
    _default(old, new, user, now)
    assert (old, new) == before


@given(st.dictionaries(st.sampled_from(["spec", "metadata", "status", "x"]), json_values))
def test_any_json_object_is_defaulted_and_judged_without_a_traceback(new: dict[str, Any]) -> None:
    now = Instant.parse("2026-11-24T06:30:00Z")
    for old in (None, new, {"spec": {}, "status": new}):
        defaulted = _default(old, new, "alice", now).object
        review(old, defaulted, user="alice", worker=WORKER, now=now, parse_cel=parse_cel)


@settings(max_examples=200)
@given(_olds, objects(), recent)
def test_any_plausible_object_is_judged_without_a_traceback(
    old: dict[str, Any] | None, new: dict[str, Any], now: Instant
) -> None:
    defaulted = _default(old, new, "alice", now).object
    review(old, defaulted, user="alice", worker=WORKER, now=now, parse_cel=parse_cel)


def test_an_object_nested_hundreds_deep_is_defaulted() -> None:
    deep: Any = "x"
    for _ in range(900):
        deep = {"a": deep}
    new = rule()
    new["spec"]["criteria"] = deep
    now = Instant.parse("2026-11-24T06:30:00Z")
    assert _default(None, new, "alice", now).object["spec"]["criteria"] is deep


_ends = st.sampled_from(["manifest", "admission"])
_hours = st.integers(1, 29 * 24)


@settings(max_examples=200)
@given(recent, _hours, st.integers(0, 10**10), _ids, _ends)
def test_a_request_of_the_last_30_days_is_never_refused_after_it_was_defaulted(
    now: Instant,
    hours: int,
    off_grid: int,
    request_id: str | None,
    end_of: str,
) -> None:
    start = now.plus(-hours * 36_000_000_000 - off_grid)
    backfill = {"start": str(start)}
    if end_of == "manifest":
        backfill["end"] = str(start.plus(36_000_000_000))
    elif hours < 3:
        return  # the last complete window may end before such a start
    if request_id:
        backfill["requestId"] = request_id
    defaulted = _default(None, rule(backfill), "alice", now).object
    found = review(None, defaulted, user="alice", worker=WORKER, now=now, parse_cel=parse_cel)
    assert found.violations == ()


@settings(max_examples=200)
@given(recent, _hours, st.integers(0, 30 * 24), _ends)
def test_a_reapplied_manifest_of_a_running_backfill_never_moves_its_cursor(
    now: Instant,
    hours: int,
    done: int,
    end_of: str,
) -> None:
    start = now.plus(-hours * 36_000_000_000)
    manifest = rule({"start": str(start), **({"end": str(now)} if end_of == "manifest" else {})})
    live = _default(None, manifest, "alice", now).object
    first = Instant.parse(live["spec"]["backfill"]["start"])
    end = Instant.parse(live["spec"]["backfill"]["end"])
    mark = min(first.plus(done * 36_000_000_000), end.plus(-36_000_000_000))
    if mark < first:
        return
    live["spec"]["backfill"]["start"] = str(mark)
    live["status"] = {
        "backfill": {
            "requestedStart": str(first),
            "requestedEnd": str(end),
            "doneUntil": str(mark),
            "phase": "Running",
        }
    }
    later = now.plus(864_000_000_000 * 40)
    again = _default(live, {**manifest, "status": live["status"]}, "bob", later)
    assert again.object["spec"] == live["spec"]
