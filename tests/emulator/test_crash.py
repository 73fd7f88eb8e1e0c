"""`kill -9` at any moment leaves an append whole or absent, and restarts tell the truth."""

import contextlib
import random
import threading
import time

import pytest
from azure.kusto.data.exceptions import KustoError

from tests.emulator.client import Kusto, append
from tests.emulator.conftest import Starter

ROWS = "range i from 1 to 7 step 1"
ENDS = {"Completed", "Abandoned"}


def _submit_until_it_dies(kusto: Kusto, first: int, accepted: dict[int, str]) -> None:
    with contextlib.suppress(KustoError):
        for number in range(first, first + 1000):
            accepted[number] = kusto.submit(append("T", ROWS, ingest_by=f"t{number}"))


def _check(kusto: Kusto, accepted: dict[int, str]) -> None:
    extents = kusto.mgmt(".show database Telemetry extents")
    written = {row["Tags"] for row in extents}
    assert len(written) == len(extents)
    assert kusto.count("T") == 7 * len(written)
    listed = ", ".join(accepted.values())
    states = {
        row["OperationId"]: row["State"] for row in kusto.mgmt(f".show operations ({listed})")
    }
    assert set(states.values()) <= ENDS
    for number, operation_id in accepted.items():
        assert (states[operation_id] == "Completed") == (f"ingest-by:t{number}" in written)


@pytest.mark.parametrize("seed", range(4))
def test_a_kill_leaves_each_append_whole_or_absent(started: Starter, seed: int) -> None:
    moments = random.Random(seed)
    accepted: dict[int, str] = {}
    for round_ in range(2):
        process = started.start()
        with Kusto(process.url, "Telemetry") as kusto:
            kusto.mgmt(".create-merge table T (i: long)")
            arguments = (kusto, 1000 * round_, accepted)
            client = threading.Thread(target=_submit_until_it_dies, args=arguments)
            client.start()
            time.sleep(moments.uniform(0.1, 0.6))  # the moment itself is what is tested
            process.kill()
            client.join()
    process = started.start()
    with Kusto(process.url, "Telemetry") as kusto:
        assert accepted
        _check(kusto, accepted)
        for number in accepted:
            kusto.mgmt(append("T", ROWS, ingest_by=f"t{number}", background=False))
        assert kusto.count("T") >= 7 * len(accepted)
        assert len(kusto.mgmt(".show table T extents")) * 7 == kusto.count("T")


def test_an_operation_in_progress_is_abandoned_by_a_restart(started: Starter) -> None:
    process = started.start()
    with Kusto(process.url, "Telemetry") as kusto:
        kusto.faults({"fault": "operation-latency", "seconds": 60})
        waiting = kusto.submit(append("T", ROWS))
    process.kill()
    with Kusto(started.start().url, "Telemetry") as kusto:
        abandoned = kusto.operation(waiting)
        assert (abandoned["State"], abandoned["ShouldRetry"]) == ("Abandoned", True)
        assert "restarted" in abandoned["Status"]
        where = f".show operations | where OperationId == '{waiting}' | project State"
        assert [row["State"] for row in kusto.mgmt(where)] == ["InProgress", "Abandoned"]


def test_data_tags_and_records_survive_a_clean_restart(started: Starter) -> None:
    process = started.start()
    with Kusto(process.url, "Telemetry") as kusto:
        kusto.mgmt(".create database Second")
        done = kusto.submit(append("T", ROWS, ingest_by="a"))
        kusto.settled(done)
    assert process.stop() == 0
    with Kusto(started.start().url, "Telemetry") as kusto:
        assert kusto.operation(done)["State"] == "Completed"
        kusto.settled(kusto.submit(append("T", ROWS, ingest_by="a")))
        assert kusto.count("T") == 7
        assert len(kusto.mgmt(".show databases")) == 2
