"""`.show operations` in both forms, and `.cancel operation`."""

from uuid import uuid4

import pytest
from azure.kusto.data.exceptions import KustoApiError

from tests.emulator.client import Kusto, append, until

ROWS = "range i from 1 to 5 step 1"
COLUMNS = {
    "OperationId": "guid",
    "Operation": "string",
    "NodeId": "string",
    "StartedOn": "datetime",
    "LastUpdatedOn": "datetime",
    "Duration": "timespan",
    "State": "string",
    "Status": "string",
    "RootActivityId": "guid",
    "ShouldRetry": "bool",
    "Database": "string",
    "Principal": "string",
    "User": "string",
    "AdminEpochStartTime": "datetime",
    "VirtualCluster": "string",
}


def log(kusto: Kusto, operation_id: str) -> list[str]:
    where = f".show operations | where OperationId == '{operation_id}'"
    return [row["State"] for row in kusto.mgmt(f"{where} | order by LastUpdatedOn asc")]


def test_the_columns_are_kustos(kusto: Kusto) -> None:
    for command in (f".show operations ({uuid4()})", ".show operations"):
        table = kusto.client.execute_mgmt(kusto.database, command).primary_results[0]
        assert {one.column_name: one.column_type for one in table.columns} == COLUMNS


def test_the_latest_form_has_one_row_an_id_and_no_row_for_an_unknown_one(kusto: Kusto) -> None:
    ids = [kusto.submit(append("T", ROWS)) for _ in range(3)]
    for one in ids:
        kusto.settled(one)
    rows = kusto.mgmt(f".show operations ({ids[0]}, {ids[1]}, {ids[2]}, {uuid4()})")
    assert sorted(row["OperationId"] for row in rows) == sorted(ids)
    assert kusto.mgmt(f".show operations {ids[0]}")[0]["OperationId"] == ids[0]


def test_the_log_form_has_a_row_for_each_state(kusto: Kusto) -> None:
    done = kusto.submit(append("T", ROWS))
    kusto.settled(done)
    assert log(kusto, done) == ["InProgress", "Completed"]


@pytest.mark.parametrize("literal", ["'{0}'", "guid({0})", '"{0}"'])
def test_an_id_in_a_pipeline_may_be_a_string_or_a_guid(kusto: Kusto, literal: str) -> None:
    done = kusto.submit(append("T", ROWS))
    kusto.settled(done)
    where = f"where OperationId == {literal.format(done)}"
    rows = kusto.mgmt(f".show operations | {where} | summarize arg_max(LastUpdatedOn, State)")
    assert rows[0]["State"] == "Completed"


def test_several_ids_in_a_pipeline(kusto: Kusto) -> None:
    ids = [kusto.submit(append("T", ROWS)) for _ in range(2)]
    for one in ids:
        kusto.settled(one)
    listed = ", ".join(f"guid({one})" for one in ids)
    rows = kusto.mgmt(
        f".show operations | where OperationId in ({listed}) | where State == 'Completed' "
        "| project OperationId, State"
    )
    assert sorted(row["OperationId"] for row in rows) == sorted(ids)


def test_a_waiting_operation_can_be_canceled_and_writes_nothing(kusto: Kusto) -> None:
    kusto.faults({"fault": "operation-latency", "seconds": 60})
    waiting = kusto.submit(append("T", ROWS, ingest_by="a"))
    [answer] = kusto.mgmt(f".cancel operation {waiting} with (reason='enough')")
    assert answer["CancellationState"] == "Canceled successfully"
    assert answer["ReasonPhrase"] == "enough"
    assert kusto.operation(waiting)["State"] == "Canceled"
    assert log(kusto, waiting) == ["InProgress", "Canceled"]
    assert kusto.mgmt(".show tables") == []


def test_a_running_query_can_be_canceled(kusto: Kusto) -> None:
    slow = kusto.submit(
        append("T", "range i from 1 to 4000000000 step 1 | summarize dcount(i * i)")
    )
    [answer] = kusto.mgmt(f".cancel operation {slow}")
    assert answer["CancellationState"] == "Canceled successfully"
    until(lambda: kusto.operation(slow)["State"] == "Canceled", "canceled")
    after = kusto.settled(kusto.submit(append("U", ROWS)))
    assert after["State"] == "Completed"


def test_a_finished_operation_cannot_be_canceled(kusto: Kusto) -> None:
    done = kusto.submit(append("T", ROWS))
    kusto.settled(done)
    [answer] = kusto.mgmt(f".cancel operation {done}")
    assert answer["CancellationState"] == "Cancel failed"
    assert "Completed" in answer["ReasonPhrase"]
    assert kusto.operation(done)["State"] == "Completed"


def test_canceling_an_unknown_operation_says_so(kusto: Kusto) -> None:
    unknown = uuid4()
    with pytest.raises(KustoApiError, match=f"'{unknown}' of kind 'Operation' was not found"):
        kusto.mgmt(f".cancel operation {unknown}")


@pytest.mark.parametrize(
    "text", [".show operations (x)", ".cancel operation", ".show operations ("]
)
def test_what_is_no_operation_id_is_refused_with_its_place(kusto: Kusto, text: str) -> None:
    with pytest.raises(KustoApiError, match=r"expected an operation id.*line:position=1:1[78]"):
        kusto.mgmt(text)
