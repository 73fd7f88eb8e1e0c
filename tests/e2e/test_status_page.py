"""The worker's status page on the real stack, in a real browser."""

import json
from urllib.request import urlopen

from playwright.sync_api import expect

from devstack.stack import Stack
from runtime.version import installed_version
from tests.browser import chromium
from tests.e2e.faults import fault, faults_at
from tests.e2e.fixtures import Sandbox, hours_ago

LIVE = 30_000
"""Milliseconds within which a change is shown: the page is updated every two seconds."""


def test_the_json_has_a_backfill_and_the_state_of_the_endpoint(sandbox: Sandbox) -> None:
    start, end = hours_ago(6), hours_ago(2)
    sandbox.load(start, end)
    sandbox.admit(sandbox.rule(backfill={"start": str(start), "end": str(end)}))
    sandbox.until_cleared()
    address = sandbox.stack.process("worker").address
    with urlopen(f"{address}/status.json?search={sandbox.name}") as answer:  # noqa: S310 - http
        found = json.load(answer)
    assert found["leads"]
    (endpoint,) = found["endpoints"]
    assert endpoint["url"] == sandbox.stack.env()["KUSTO_ENDPOINT"]
    assert (endpoint["state"], endpoint["trouble"]) == ("answering", None)
    (item,) = found["items"]
    assert (item["backfill"]["phase"], item["backfill"]["done"]) == ("Completed", 4)


def test_the_worker_view_shows_the_versions_of_all_parts_and_the_standbys(stack: Stack) -> None:
    version = installed_version()
    with chromium() as browser:
        page = browser.new_page()
        page.goto(f"{stack.process('worker').address}/worker")
        for part in ("CRD", "webhook", "worker"):
            expect(page.locator(f"dt:text-is('Installed {part}') + dd")).to_contain_text(version)
        pods = page.locator("dt:text-is('Installed webhook') + dd")
        expect(pods).to_contain_text("1 of 1 pod ready", timeout=2 * LIVE)
        standbys = page.locator("dt:text-is('Standby replicas') + dd")
        expect(standbys).to_contain_text("none: if this pod ends")


def test_a_window_runs_and_ends_and_a_failure_appears_without_a_reload(sandbox: Sandbox) -> None:
    start, end = hours_ago(6), hours_ago(2)
    sandbox.load(start, end)
    page_url = sandbox.stack.process("worker").address
    match = sandbox.table
    with faults_at(sandbox.stack.env()["KUSTO_ENDPOINT"]) as faults, chromium() as browser:
        faults.set(
            fault("operation-latency", seconds=8, count=1, match=match),
            fault("operation-end", state="BadInput", status="no such column", match=match),
        )
        page = browser.new_page()
        page.goto(f"{page_url}/rule?namespace=default&name={sandbox.name}")
        expect(page.locator("main")).to_contain_text("There is no rule of this name.")
        page.evaluate("window.isTheSamePage = true")
        sandbox.admit(sandbox.rule(suspend=True, backfill={"start": str(start), "end": str(end)}))
        lanes = page.locator(".lanes")
        expect(lanes).to_contain_text("1 running", timeout=LIVE)
        expect(lanes).to_contain_text("1 failed", timeout=LIVE)
        page.locator(".failed a").first.click()
        window = page.locator("section.window")
        expect(window).to_contain_text("no such column")
        expect(window).to_contain_text(f"let _startTime=datetime({start});")
        faults.clear()
        sandbox.kubectl(
            "annotate", "summaryrule", sandbox.name, "adx-mon.azure.com/backfill-retry=all"
        )
        expect(lanes).to_contain_text("Backfill Completed: 4 done", timeout=LIVE)
        expect(window).to_contain_text("done", timeout=LIVE)
        assert page.evaluate("window.isTheSamePage")
    sandbox.assert_exactly_once(start, end)
