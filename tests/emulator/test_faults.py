"""`PUT /faults`: each fault as the official client meets it."""

import time

import httpx
import pytest
from azure.kusto.data.exceptions import (
    KustoApiError,
    KustoNetworkError,
    KustoServiceError,
    KustoThrottlingError,
)

from tests.emulator.client import Kusto, append, until

ROWS = "range i from 1 to 5 step 1"


def tags(kusto: Kusto) -> int:
    return len(kusto.mgmt(f".show database {kusto.database} extents"))


def test_a_missing_right_is_kustos_forbidden(kusto: Kusto) -> None:
    kusto.mgmt(append("T", ROWS, background=False))
    kusto.faults({"fault": "forbid", "match": ".drop extents"})
    with pytest.raises(KustoApiError, match="not authorized to perform operation") as raised:
        kusto.mgmt(".drop extents from T")
    assert raised.value.get_api_error().code == "Forbidden"
    assert kusto.count("T") == 5


def test_throttling_is_the_clients_throttling_error_and_says_when_to_return(kusto: Kusto) -> None:
    kusto.faults({"fault": "throttle", "match": ".set-or-append", "count": 2, "retryAfter": 7})
    for _ in range(2):
        with pytest.raises(KustoThrottlingError) as raised:
            kusto.submit(append("T", ROWS))
        response = raised.value.args[1]
        assert response.headers["Retry-After"] == "7"
        error = response.json()["error"]
        assert error["@permanent"] is False
        assert "CommandType: 'TableSetOrAppend'" in error["@message"]
    assert kusto.settled(kusto.submit(append("T", ROWS)))["State"] == "Completed"


def test_a_lost_request_did_nothing(kusto: Kusto) -> None:
    kusto.faults({"fault": "lose-request", "match": ".set-or-append", "count": 1})
    with pytest.raises(KustoNetworkError):
        kusto.submit(append("T", ROWS, ingest_by="a"))
    assert kusto.mgmt(".show tables") == []
    kusto.settled(kusto.submit(append("T", ROWS, ingest_by="a")))
    assert kusto.count("T") == 5


def test_a_lost_reply_did_everything_and_the_token_keeps_it_single(kusto: Kusto) -> None:
    kusto.faults({"fault": "lose-reply", "match": ".set-or-append", "count": 1})
    with pytest.raises(KustoNetworkError):
        kusto.submit(append("T", ROWS, ingest_by="a"))
    until(lambda: tags(kusto) == 1, "the append commits all the same")
    kusto.settled(kusto.submit(append("T", ROWS, ingest_by="a")))
    assert kusto.count("T") == 5


def test_an_html_page_is_no_kusto_error(kusto: Kusto) -> None:
    kusto.faults({"fault": "html", "count": 1})
    with pytest.raises(KustoServiceError) as raised:
        kusto.mgmt(".show tables")
    assert not isinstance(raised.value, KustoApiError)
    assert "Bad Gateway" in str(raised.value)
    assert kusto.mgmt(".show tables") == []


@pytest.mark.parametrize("should_retry", [True, False])
@pytest.mark.parametrize(
    "state", ["Failed", "Throttled", "Canceled", "Abandoned", "BadInput", "PartiallySucceeded"]
)
def test_an_operation_ends_as_told_and_wrote_nothing(
    kusto: Kusto, state: str, *, should_retry: bool
) -> None:
    fault = {"fault": "operation-end", "count": 1, "state": state, "shouldRetry": should_retry}
    kusto.faults(fault | {"status": "boom"})
    ended = kusto.settled(kusto.submit(append("T", ROWS, ingest_by="a")))
    told = (ended["State"], ended["Status"], ended["ShouldRetry"])
    assert told == (state, "boom", should_retry)
    assert tags(kusto) == 0
    kusto.settled(kusto.submit(append("T", ROWS, ingest_by="a")))
    assert kusto.count("T") == 5


def test_a_failed_operation_may_have_written_all_the_same(kusto: Kusto) -> None:
    kusto.faults({"fault": "operation-end", "count": 1, "state": "Failed", "commits": True})
    assert kusto.settled(kusto.submit(append("T", ROWS, ingest_by="a")))["State"] == "Failed"
    assert kusto.count("T") == 5
    kusto.settled(kusto.submit(append("T", ROWS, ingest_by="a")))
    assert kusto.count("T") == 5


def test_a_stuck_operation_stays_in_progress_until_it_is_canceled(kusto: Kusto) -> None:
    kusto.faults({"fault": "operation-stuck", "count": 1})
    stuck = kusto.submit(append("T", ROWS))
    other = kusto.submit(append("U", ROWS))
    assert kusto.settled(other)["State"] == "Completed"
    assert kusto.operation(stuck)["State"] == "InProgress"
    kusto.mgmt(f".cancel operation {stuck}")
    assert kusto.operation(stuck)["State"] == "Canceled"


def test_operations_with_latency_run_beside_each_other(kusto: Kusto) -> None:
    kusto.faults({"fault": "operation-latency", "seconds": 0.5})
    started = time.monotonic()
    for one in [kusto.submit(append("T", ROWS)) for _ in range(10)]:
        assert kusto.settled(one)["State"] == "Completed"
    assert 0.5 <= time.monotonic() - started < 4
    assert kusto.count("T") == 50


def test_a_slow_request_is_slow(kusto: Kusto) -> None:
    kusto.faults({"fault": "request-latency", "match": ".show version", "seconds": 0.3})
    started = time.monotonic()
    kusto.mgmt(".show version")
    assert time.monotonic() - started >= 0.3


def test_the_log_lags_and_the_latest_form_does_not(kusto: Kusto) -> None:
    done = kusto.submit(append("T", ROWS))
    kusto.settled(done)
    where = f".show operations | where OperationId == '{done}'"
    kusto.faults({"fault": "log-lag", "seconds": 60})
    assert kusto.mgmt(where) == []
    assert kusto.operation(done)["State"] == "Completed"
    kusto.faults()
    assert len(kusto.mgmt(where)) == 2


def test_an_expired_record_is_found_in_the_log_alone(kusto: Kusto) -> None:
    done = kusto.submit(append("T", ROWS))
    kusto.settled(done)
    kusto.faults({"fault": "record-expiry", "seconds": 0})
    assert kusto.mgmt(f".show operations ({done})") == []
    where = f".show operations | where OperationId == '{done}'"
    assert len(kusto.mgmt(where)) == 2
    kusto.faults({"fault": "log-expiry", "seconds": 0})
    assert kusto.mgmt(where) == []


def test_a_held_back_duplicate_may_be_called_skipped(kusto: Kusto) -> None:
    kusto.mgmt(append("T", ROWS, ingest_by="a", background=False))
    kusto.faults({"fault": "duplicate", "state": "Skipped"})
    assert kusto.settled(kusto.submit(append("T", ROWS, ingest_by="a")))["State"] == "Skipped"
    assert kusto.count("T") == 5


def test_a_probability_with_a_seed_repeats_itself(kusto: Kusto) -> None:
    def throttled() -> list[bool]:
        kusto.faults({"fault": "throttle", "match": ".show version", "probability": 0.5}, seed=3)
        return [_throttled(kusto) for _ in range(20)]

    first = throttled()
    assert throttled() == first
    assert 2 < sum(first) < 18


def _throttled(kusto: Kusto) -> bool:
    try:
        kusto.mgmt(".show version")
    except KustoThrottlingError:
        return True
    return False


def test_faults_are_shown_with_how_often_they_fired_and_can_be_ended(kusto: Kusto) -> None:
    kusto.faults({"fault": "throttle", "match": ".show version"})
    assert _throttled(kusto)
    [shown] = httpx.get(f"{kusto.url}/faults").json()["faults"]
    assert (shown["fault"], shown["fired"]) == ("throttle", 1)
    httpx.delete(f"{kusto.url}/faults")
    assert httpx.get(f"{kusto.url}/faults").json() == {"seed": 0, "faults": []}
    assert not _throttled(kusto)
    assert "request-latency" in httpx.get(f"{kusto.url}/faults?help").text


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("{", "Input data was truncated"),
        ('{"faults": [{"fault": "fire"}]}', "Invalid enum value 'fire'"),
        ('{"faults": [{"fault": "throttle", "sekonds": 1}]}', "unknown field `sekonds`"),
        ('{"faults": [{"fault": "operation-end"}]}', "needs a state that is an end"),
        ('{"faults": [{"fault": "throttle", "probability": 2}]}', "probability"),
        ('{"faults": [{"fault": "html", "httpStatus": 99}]}', "httpStatus"),
        ('{"faults": [{"fault": "request-latency", "seconds": -1}]}', "seconds"),
    ],
)
def test_a_fault_that_cannot_be_read_is_refused(kusto: Kusto, body: str, said: str) -> None:
    response = httpx.put(f"{kusto.url}/faults", content=body)
    assert response.status_code == 400
    assert said in response.json()["error"]["@message"]
