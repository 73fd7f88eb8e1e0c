"""The worker's status page on the real stack, as a browser behind a port-forward gets it."""

import json
from urllib.request import urlopen

from tests.e2e.fixtures import Sandbox, hours_ago


def test_the_page_shows_a_backfill_and_where_the_worker_stands(sandbox: Sandbox) -> None:
    start, end = hours_ago(6), hours_ago(2)
    sandbox.load(start, end)
    sandbox.admit(sandbox.rule(backfill={"start": str(start), "end": str(end)}))
    sandbox.until_cleared()
    address = sandbox.stack.process("worker").address
    with urlopen(f"{address}/status.json?search={sandbox.name}") as answer:  # noqa: S310 - http
        told = json.load(answer)
    assert told["leads"]
    (endpoint,) = told["endpoints"]
    assert endpoint["url"] == sandbox.stack.env()["KUSTO_ENDPOINT"]
    assert (endpoint["state"], endpoint["trouble"]) == ("answering", None)
    (item,) = told["items"]
    assert (item["backfill"]["phase"], item["backfill"]["done"]) == ("Completed", 4)
    with urlopen(f"{address}/?search={sandbox.name}") as answer:  # noqa: S310 - http
        page = answer.read().decode()
    assert f"default/{sandbox.name}" in page
    assert "Completed" in page
