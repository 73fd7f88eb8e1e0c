"""The worker's status page on the real stack, as a browser behind a port-forward gets it."""

import json
from urllib.request import urlopen

from tests.e2e.lab import Lab, hours_ago


def test_the_page_shows_a_backfill_and_where_the_worker_stands(lab: Lab) -> None:
    start, end = hours_ago(6), hours_ago(2)
    lab.load(start, end)
    lab.admit(lab.rule(backfill={"start": str(start), "end": str(end)}))
    lab.until_cleared()
    address = lab.stack.process("worker").address
    with urlopen(f"{address}/status.json?search={lab.name}") as answer:  # noqa: S310 - http
        told = json.load(answer)
    assert told["leads"]
    assert told["endpoints"] == [{"url": lab.stack.env()["KUSTO_ENDPOINT"], "trouble": None}]
    (item,) = told["items"]
    assert (item["backfill"]["phase"], item["backfill"]["done"]) == ("Completed", 4)
    with urlopen(f"{address}/?search={lab.name}") as answer:  # noqa: S310 - http
        page = answer.read().decode()
    assert f"default/{lab.name}" in page
    assert "Completed" in page
