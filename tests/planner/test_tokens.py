"""One window, one token: overlapping requests, and statuses of release 0.1.0."""

import hashlib
from typing import Any

from summaryrule.api.instant import Instant
from summaryrule.api.schema_validation import parse_rule
from summaryrule.api.tokens import spec_hash, window_token
from summaryrule.api.windows import Window
from summaryrule.planner.types import FindIngestTags, Submit
from tests.manifests import rule, span, stored
from tests.planner.fake_environment import FIRST, HOUR, FakeEnvironment, backfilling, hours

FIRST_AT = Instant.parse(FIRST)


def end_after(count: int) -> str:
    return str(FIRST_AT.plus(count * HOUR))


def request(env: FakeEnvironment, start: str, end: str, **more: Any) -> None:
    env.edit(backfill=span(start, end, **more))
    env.run()


def sent(env: FakeEnvironment) -> int:
    return sum(isinstance(each, Submit) for each in env.log)


def token_of_0_1_0(env: FakeEnvironment, key: str, start: str) -> str:
    """As release 0.1.0 derived it, of a window of the schedule or of a request."""
    parts = (env.raw["metadata"]["uid"], key, start)
    return hashlib.sha256("\x00".join(parts).encode()).hexdigest()[:32]


def test_a_longer_backfill_sends_only_what_is_missing() -> None:
    env = backfilling(6)
    env.run()
    request(env, str(FIRST_AT.plus(-HOUR)), end_after(6))
    assert env.kusto.starts == hours(7, str(FIRST_AT.plus(-HOUR)))
    assert sent(env) == 7
    assert (env.backfill.windows_done, env.backfill.windows_already_there) == (7, 6)
    assert env.event_messages("BackfillCompleted")[-1].endswith(", 6 of them already there")
    assert env.status.backfill_history[0].windows_already_there == 6


def test_an_earlier_start_of_a_running_backfill_doubles_nothing() -> None:
    env = backfilling(5)
    env.kusto.is_slow = True
    for _ in range(3):
        env.settle()
        env.kusto.end_all()
    env.kusto.is_slow = False
    request(env, str(FIRST_AT.plus(-2 * HOUR)), end_after(5))
    assert env.kusto.starts == hours(7, str(FIRST_AT.plus(-2 * HOUR)))
    assert env.backfill.windows_already_there == 3


def test_the_schedule_and_a_backfill_share_their_windows() -> None:
    cursor = {"cursor": "2026-11-24T01:00:00Z"}
    env = FakeEnvironment(stored(rule(), status={"schedule": cursor}))
    env.run()
    request(env, "2026-11-23T22:00:00Z", "2026-11-24T06:00:00Z")
    assert env.kusto.starts == hours(8, "2026-11-23T22:00:00Z")
    assert env.backfill.windows_already_there == 5


def test_a_window_that_both_take_at_once_is_there_once() -> None:
    cursor = {"cursor": "2026-11-24T05:00:00Z"}
    backfill = span("2026-11-24T05:00:00Z", "2026-11-24T06:00:00Z")
    env = FakeEnvironment(stored(rule(backfill), status={"schedule": cursor}))
    env.run()
    assert env.kusto.starts == ["2026-11-24T05:00:00Z"]
    assert env.status.backfill_history[0].windows == 1
    assert str(env.schedule.cursor) == "2026-11-24T06:00:00Z"


def test_a_window_waits_while_the_schedule_runs_it() -> None:
    env = FakeEnvironment(stored(rule(), status={"schedule": {"cursor": "2026-11-24T05:00:00Z"}}))
    env.kusto.is_slow = True
    env.settle()
    env.edit(backfill=span("2026-11-24T04:00:00Z", "2026-11-24T06:00:00Z", maxInFlight=2))
    env.settle()
    assert [each.start for each in env.kusto.submits] == hours(1, "2026-11-24T05:00:00Z") + hours(
        1, "2026-11-24T04:00:00Z"
    )
    env.kusto.is_slow = False
    env.kusto.end_all()
    env.run()
    assert env.kusto.starts == hours(2, "2026-11-24T04:00:00Z")


def test_removing_a_backfill_does_not_cancel_an_operation_of_the_schedule() -> None:
    env = FakeEnvironment(stored(rule(), status={"schedule": {"cursor": "2026-11-24T05:00:00Z"}}))
    env.edit(backfill=span("2026-11-24T05:00:00Z", "2026-11-24T06:00:00Z"))
    window = {"start": "2026-11-24T05:00:00Z", "end": "2026-11-24T06:00:00Z", "token": "t"}
    env.kusto.is_slow = True
    env.execute(env.decide().writes)
    status = env.raw["status"]
    status["schedule"]["inFlight"] = [window | {"operationId": "op-1"}]
    status["backfill"] |= {"phase": "Running", "inFlight": [window | {"operationId": "op-1"}]}
    env.edit(backfill=...)
    env.step()
    assert env.kusto.canceled == []
    assert [each.operation_id for each in env.schedule.in_flight] == ["op-1"]


def test_a_request_id_asks_for_another_run_once() -> None:
    env = backfilling(2)
    env.run()
    request(env, FIRST, end_after(2), requestId="again")
    assert env.kusto.starts == sorted(hours(2) * 2)
    request(env, str(FIRST_AT.plus(-HOUR)), end_after(2), requestId="again")
    assert env.kusto.starts == sorted([*hours(2) * 2, str(FIRST_AT.plus(-HOUR))])


def test_the_tags_are_read_once_for_a_request_and_again_for_a_later_end() -> None:
    env = backfilling(2)
    env.run()
    lookups = [each for each in env.log if isinstance(each, FindIngestTags)]
    assert [each.since for each in lookups] == [FIRST_AT]
    env = backfilling(2)
    env.kusto.is_slow = True
    env.settle()
    env.edit(backfill=span(FIRST, end_after(4)))
    env.kusto.is_slow = False
    env.kusto.end_all()
    env.run()
    assert sum(isinstance(each, FindIngestTags) for each in env.log) == 2


def test_windows_that_are_there_here_and_there_stay_few_ranges() -> None:
    env = backfilling(300, maxInFlight=20)
    made = parse_rule(env.raw)
    env.execute(env.decide().writes)
    every_other = [
        Window(FIRST_AT.plus(at * HOUR), FIRST_AT.plus((at + 1) * HOUR)) for at in range(1, 300, 2)
    ]
    tags = {f"ingest-by:{window_token(made, each)}" for each in every_other}
    env.memory.ingest_tags[env.backfill.request_key] = frozenset(tags)
    env.execute(env.decide().writes)
    assert len(env.backfill.done_ahead) == 100
    assert env.backfill.windows_already_there == 100


def test_a_skipped_append_counts_as_already_there() -> None:
    env = backfilling(1)
    env.kusto.is_slow = True
    env.settle()
    env.kusto.end_all()
    env.kusto.end("op-1", "Skipped")
    env.run()
    assert (env.backfill.windows_done, env.backfill.windows_already_there) == (1, 1)


def test_a_window_of_another_length_has_another_token() -> None:
    made = parse_rule(rule())
    hour, half = FIRST_AT.plus(HOUR), FIRST_AT.plus(HOUR // 2)
    assert window_token(made, Window(FIRST_AT, hour)) != window_token(made, Window(FIRST_AT, half))


# Upgrade from release 0.1.0, and back


def test_interval_runs_of_0_1_0_had_the_same_tokens() -> None:
    env = FakeEnvironment(stored(rule()))
    window = Window(FIRST_AT, FIRST_AT.plus(HOUR))
    old = token_of_0_1_0(env, "schedule/1h", FIRST)
    assert window_token(parse_rule(env.raw), window) == old


def test_a_running_backfill_of_0_1_0_goes_on_with_its_recorded_tokens() -> None:
    env = backfilling(4, maxInFlight=2)
    key = "0123456789abcdef"
    in_flight = [
        {"start": start, "end": end, "token": token_of_0_1_0(env, key, start)}
        for start, end in zip(hours(2, end_after(1)), hours(2, end_after(2)), strict=True)
    ]
    env.raw["status"] = {
        "backfill": {
            "requestKey": key,
            "requestedStart": FIRST,
            "requestedEnd": end_after(4),
            "interval": "1h",
            "phase": "Running",
            "doneUntil": end_after(1),
            "windowsDone": 1,
            "specHash": spec_hash(parse_rule(env.raw).spec),
            "inFlight": in_flight,
        }
    }
    env.lost_replies = 1
    env.run()
    assert env.kusto.starts == hours(3, end_after(1))
    tokens = [each.token for each in env.kusto.data]
    assert set(tokens[:2]) == {each["token"] for each in in_flight}
    last = Window(FIRST_AT.plus(3 * HOUR), FIRST_AT.plus(4 * HOUR))
    assert tokens[2] == window_token(parse_rule(env.raw), last)
    assert not env.status.backfill_history[0].shares_tokens


def test_an_intent_of_this_version_is_one_for_0_1_0() -> None:
    """A roll-back sends what is recorded: bounds and token are all that 0.1.0 reads of it."""
    env = backfilling(2)
    env.kusto.is_slow = True
    env.settle()
    recorded = env.raw["status"]["backfill"]["inFlight"][0]
    assert {"start", "end", "token", "attempt"} <= recorded.keys()
    known = set(env.raw["status"]["backfill"]) - {
        "sharesTokens",
        "tagsReadUntil",
        "windowsAlreadyThere",
    }
    assert {"requestKey", "requestedStart", "doneUntil", "inFlight", "specHash"} <= known
