"""Every verb of the chart's roles is needed: without it, the check that is named here fails.

`make prove-rbac` takes each verb away on a live stack, runs its check, and prints the table.
"""

import sys
from collections.abc import Iterator

import pytest
from azure.kusto.data import KustoClient, KustoConnectionStringBuilder

from devstack.stack import Stack
from summaryrule.api.constants import RESOURCE
from tests.chart.helm import RELEASE, Object
from tests.chart.rbac import checks, hooks
from tests.chart.rbac.bench import Bench
from tests.chart.rbac.grants import Grant, granted
from tests.chart.rbac.proof import Check, fails_without

RULES, STATUS, LEASE, SECRET = "summaryrules", "summaryrules/status", checks.LEASE, checks.SECRET
MUTATING, VALIDATING = "mutatingwebhookconfigurations", "validatingwebhookconfigurations"

NEEDED: dict[Check, list[Grant]] = {
    checks.a_worker_takes_a_lease_that_is_not_there_and_renews_it: [
        Grant("worker", "leases", "get", LEASE),
        Grant("worker", "leases", "create"),
        Grant("worker", "leases", "update", LEASE),
    ],
    checks.a_worker_that_starts_is_ready_once_it_has_read_all_rules: [
        Grant("worker", RULES, "list"),
    ],
    checks.a_rule_written_while_the_worker_runs_is_backfilled_to_its_end: [
        Grant("worker", RULES, "watch"),
        Grant("worker", RULES, "patch"),
        Grant("worker", STATUS, "patch"),
    ],
    checks.the_worker_reads_a_rule_again_that_was_edited_under_its_hands: [
        Grant("worker", RULES, "get"),
    ],
    checks.what_the_worker_says_of_a_rule_is_an_event: [
        Grant("worker", "events", "create"),
    ],
    checks.what_it_says_again_raises_the_count_of_that_event: [
        Grant("worker", "events", "patch"),
    ],
    checks.and_so_it_does_after_a_restart: [
        Grant("worker", "events", "get"),
    ],
    checks.the_worker_knows_what_is_installed: [
        Grant("worker", "customresourcedefinitions", "get", RESOURCE),
        Grant("worker", "deployments", "get", f"{RELEASE}-worker"),
        Grant("worker", "deployments", "get", f"{RELEASE}-webhook"),
    ],
    checks.a_webhook_without_an_authority_makes_one_and_publishes_it: [
        Grant("webhook", "secrets", "get", SECRET),
        Grant("webhook", "secrets", "create"),
        *(
            Grant("webhook", kind, verb, RELEASE)
            for kind in (MUTATING, VALIDATING)
            for verb in ("get", "patch")
        ),
    ],
    checks.a_bundle_that_was_wiped_is_written_again_within_seconds: [
        Grant("webhook", MUTATING, "watch", RELEASE),
        Grant("webhook", VALIDATING, "watch", RELEASE),
    ],
    checks.an_authority_that_another_replica_wrote_is_taken_within_seconds: [
        Grant("webhook", "secrets", "watch", SECRET),
    ],
    checks.an_authority_that_grows_old_gets_a_successor: [
        Grant("webhook", "secrets", "update", SECRET),
    ],
    hooks.helm_test_gets_the_answers_that_it_wants: [
        Grant("test", RULES, "create"),
    ],
    hooks.the_clean_up_of_an_uninstall_runs_to_its_end: [
        Grant("cleanup", MUTATING, "delete", RELEASE),
        Grant("cleanup", VALIDATING, "delete", RELEASE),
        Grant("cleanup", RULES, "list"),
        Grant("cleanup", RULES, "patch"),
        *(
            Grant("cleanup", resource, verb, f"{RELEASE}-{who}")
            for resource, verb in (("deployments", "get"), ("deployments/scale", "patch"))
            for who in ("webhook", "worker")
        ),
        Grant("cleanup", "pods", "list"),
        Grant("cleanup", "secrets", "delete", SECRET),
        Grant("cleanup", "leases", "delete", LEASE),
    ],
}
"""In the order of the run: the clean-up comes last, as it stops the programs."""

OLDER = ("WatchList=false",)
"""A newer API server streams the first list as a watch; one from 1.30 to 1.33 has to be asked."""

PEOPLES = {"view", "edit"}
"""Roles whose verbs are for people to use, through the built-in roles; no program holds them."""

ALL = [
    pytest.param(check, grant, id=str(grant or f"every verb: {check.__name__}"))
    for check, of in NEEDED.items()
    for grant in (None, *of)
]


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory, chart: list[Object]) -> Iterator[Bench]:
    with Stack.start(tmp_path_factory.mktemp("rbac"), feature_gates=OLDER) as stack:
        with KustoClient(KustoConnectionStringBuilder(stack.env()["KUSTO_ENDPOINT"])) as kusto:
            kusto.execute_mgmt("Telemetry", ".create table Nothing (Timestamp:datetime)")
        made = Bench(stack)
        for role in ("test", "cleanup"):
            hooks.install(made, chart, role)
        yield made


def test_the_table_has_every_verb_that_the_chart_grants(chart: list[Object]) -> None:
    every = {
        grant
        for item in chart
        if item["kind"] in {"Role", "ClusterRole"}
        for who in [item["metadata"]["name"].removeprefix(f"{RELEASE}-")]
        if who not in PEOPLES
        for grant in granted(item, who)
    }
    assert {grant for of in NEEDED.values() for grant in of} == every


@pytest.mark.proof
@pytest.mark.parametrize(("check", "grant"), ALL)
def test_a_check_passes_with_every_verb_and_fails_without_one(
    bench: Bench,
    chart: list[Object],
    check: Check,
    grant: Grant | None,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if grant is None:
        check(bench)
        return
    line = fails_without(bench, chart, check, grant)
    with capsys.disabled():
        sys.stdout.write(line)
