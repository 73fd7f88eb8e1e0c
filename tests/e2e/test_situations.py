"""Twelve situations of an on-call engineer: the status page says what is wrong and what to do.

All are planted on one stack. Then each is looked for as a person would: in the list, and on the
page of the rule.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from azure.kusto.data import KustoClient
from playwright.sync_api import Page, expect

from devstack.stack import Stack
from tests.browser import chromium
from tests.e2e.faults import Fault, fault, faults_at
from tests.e2e.fixtures import Sandbox, backfill, hours_ago

WITHIN = 60_000
"""Milliseconds: nobody looks for longer."""
PAST = backfill(hours_ago(8), hours_ago(4))
COUNT = "summarize Samples = count() by Timestamp = bin(Timestamp, 1h)"
BOUNDS = "where Timestamp between (_startTime .. _endTime)"


@dataclass(frozen=True, slots=True)
class Situation:
    """A rule of `spec`, and what the page must say of it.

    `reason` is in the list, `wrong` and `do` are on the page of the rule. `{name}`, `{raw}` and
    `{table}` stand for those of the sandbox. `before` is the spec that the rule had first, until
    its backfill was complete. `end` says how an append of the rule ends.
    """

    name: str
    reason: str
    wrong: str
    do: str
    spec: dict[str, Any] = field(default_factory=dict)
    end: Fault | None = None
    table: str = ""
    before: dict[str, Any] | None = None


SITUATIONS = [
    Situation(
        "a typo in the query", "QueryInvalid", "scalar expression named 'Timestmp'",
        "correct spec.body where the message says",
        {"suspend": False, "body": f"{{raw}} | {BOUNDS} | summarize count() by bin(Timestmp, 1h)"},
    ),
    Situation(
        "a source that is gone", "QueryInvalid", "table or column expression named 'Gone'",
        "or create the table that it names",
        {"suspend": False, "body": f"Gone | {BOUNDS} | {COUNT}"},
    ),
    Situation(
        "a database of nobody", "NoEndpoint",
        "no endpoint is configured for database 'Billing' (databases with one: Telemetry)",
        "add an endpoint for the database: chart value kusto.endpoints",
        {"suspend": False, "database": "Billing"},
    ),
    Situation(
        "a window without memory", "WindowFailed", "E_LOW_MEMORY_CONDITION",
        "kubectl summaryrule retry {name} -n default --all",
        {"suspend": False},
        fault("operation-end", state="BadInput", status="memory: E_LOW_MEMORY_CONDITION"),
    ),
    Situation(
        "a backfill that failed", "WindowFailed", "exceeded the allowed time limit",
        "kubectl summaryrule retry {name} -n default --all",
        {"backfill": PAST},
        fault("operation-end", state="BadInput", status="it exceeded the allowed time limit"),
    ),
    Situation(
        "an identity without a role", "EndpointUnavailable",
        "its identity needs the role Database User, and Table Admin",
        "the network and identity of the worker",
        {"suspend": False},
        fault("forbid"),
    ),
    Situation(
        "rows that stay", "WindowFailed", "needs the role Table Admin on table {table}",
        "kubectl summaryrule retry {name} -n default --all",
        {"writeMode": "Replace", "backfill": {**PAST, "requestId": "again"}},
        fault("forbid", match=".drop extents"),
        before={"writeMode": "Replace", "backfill": PAST},
    ),
    Situation(
        "a column of another type", "WindowFailed", "Query schema does not match table schema",
        "write tostring(Samples)",
        {"suspend": False},
        table="Timestamp:datetime, Samples:string, Total:long",
    ),
    Situation(
        "a backfill that is paused", "Paused", "spec.backfill.suspend is true",
        "kubectl summaryrule resume {name} -n default",
        {"suspend": False, "backfill": {**PAST, "suspend": True}},
    ),
    Situation(
        "a schedule that is suspended", "Suspended", "spec.suspend is true",
        "kubectl summaryrule resume {name} -n default --schedule",
    ),
    Situation(
        "a rule of another cluster", "OtherCluster", "no criteria matched the cluster labels",
        "compare spec.criteria with the worker's cluster labels",
        {"suspend": False, "criteria": {"region": ["elsewhere"]}},
    ),
    Situation(
        "a throttled backfill", "", "asked for fewer calls (429)", "lower maxInFlight",
        {"backfill": PAST},
        fault("throttle", retryAfter=2),
    ),
]  # fmt: skip


def planted(situation: Situation, stack: Stack, kusto: KustoClient) -> Sandbox:
    name = situation.name.replace(" ", "-")
    sandbox = Sandbox(stack, kusto, name, stack.env()["KUSTO_DATABASE"])
    sandbox.load(hours_ago(9), hours_ago(1))
    if situation.table:
        kusto.execute_mgmt("Telemetry", f".create table {sandbox.table} ({situation.table})")
    if situation.before is not None:
        sandbox.admit(sandbox.rule(**situation.before))
        sandbox.until_cleared()
    spec = dict(situation.spec)
    if "body" in spec:
        spec["body"] = spec["body"].replace("{raw}", sandbox.raw)
    sandbox.admit(sandbox.rule(**spec))
    return sandbox


@pytest.fixture(scope="module")
def page(stack: Stack, kusto: KustoClient) -> Iterator[Page]:
    """The page of the worker, with all situations planted."""
    with faults_at(stack.env()["KUSTO_ENDPOINT"]) as faults, chromium() as browser:
        tables = {each.name: f"Summary_{each.name.replace(' ', '_')} " for each in SITUATIONS}
        faults.set(*({"match": tables[each.name]} | each.end for each in SITUATIONS if each.end))
        sandboxes = [planted(each, stack, kusto) for each in SITUATIONS]
        yield browser.new_page(base_url=stack.process("worker").address)
        for sandbox in sandboxes:
            sandbox.kubectl("delete", "summaryrule", sandbox.name, "--wait=false")


@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda each: each.name)
def test_the_page_says_what_is_wrong_and_what_to_do(page: Page, situation: Situation) -> None:
    name = situation.name.replace(" ", "-")
    page.goto("/")
    row = page.locator(f"tbody tr[data-key='default/{name}']")
    expect(row).to_contain_text(situation.reason, timeout=WITHIN)
    row.get_by_role("link").first.click()
    main = page.locator("main")
    wrong = situation.wrong.replace("{table}", "Summary_" + name.replace("-", "_"))
    expect(main).to_contain_text(wrong, timeout=WITHIN)
    expect(main).to_contain_text(situation.do.replace("{name}", name))
