"""From the last release to this one, and back, under load, with helm 4 and with helm 3.

The last release is its chart and its wheel in `hack/released`: its pods run its code, for which
the chart's own `env` value is used. One life for each helm, its tests in the order of that life.
"""

import time
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from azure.kusto.data import KustoClient, KustoConnectionStringBuilder

from devstack.stack import Stack
from summaryrule.api.instant import Instant
from tests.chart.admission import steady_admission
from tests.chart.helm import CHART, RELEASE, Checker, Helm, laptop
from tests.chart.remains import remains
from tests.e2e.fixtures import HOUR, Sandbox, backfill, hours_ago

pytestmark = pytest.mark.e2e

RELEASED = Path(__file__).parents[2] / "hack" / "released"
VERSION = "0.1.0"
OLD = RELEASED / f"{RELEASE}-{VERSION}.tgz"
WHEEL = RELEASED / f"summaryrule_operator-{VERSION}-py3-none-any.whl"
CRD = "CustomResourceDefinition/summaryrules.adx-mon.azure.com"
NAMES = {"etcd", "kube-apiserver", "kusto", "webhook", "worker"}
WAIT = ("--wait", "--timeout=80s")


@dataclass(frozen=True)
class Life:
    """One helm's; with `keep` the CRD outlives the release."""

    stack: Stack
    sandbox: Sandbox
    helm: Helm
    keep: bool
    code: Path

    def values(self, *, old: bool) -> Mapping[str, Any]:
        """Give the laptop's values; the old release's pods run the old code."""
        env = {"PYTHONPATH": str(self.code)} if old else {}
        more = {"webhook": {"env": env}, "worker": {"env": env}}
        return laptop(self.stack, crds={"keep": self.keep}, **more)

    def upgrade(self) -> None:
        """Upgrade to the chart of this checkout."""
        self.helm.run("upgrade", RELEASE, str(CHART), *WAIT, values=self.values(old=False))

    def until_worker_is(self, wanted: str) -> None:
        """Wait until one worker is left and says that it is of this version."""
        last = time.monotonic() + 30.0
        while (seen := [self._ask(each) for each in self._workers()]) != [wanted]:
            assert time.monotonic() < last, f"workers of {seen} instead of one of {wanted}"
            time.sleep(0.2)

    def _workers(self) -> list[str]:
        processes = self.stack.processes()
        return [each.address for each in processes if each.name.startswith("worker")]

    def _ask(self, address: str) -> str:
        try:
            with urlopen(f"{address}/metrics", timeout=5) as answer:  # noqa: S310 - on loopback
                text: str = answer.read().decode()
        except OSError as error:
            return str(error)
        return text.partition("worker_build_info{")[2].partition('version="')[2].partition('"')[0]


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with the last release's packages."""
    folder = tmp_path_factory.mktemp("released")
    with zipfile.ZipFile(WHEEL) as wheel:
        wheel.extractall(folder)
    return folder


@pytest.fixture(scope="module", params=["helm", "helm3"])
def life(
    release_stack: Stack,
    code: Path,
    checker: Checker,
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Life]:
    """Give an empty cluster, but for the CRD if the life before has kept it."""
    stack, home = release_stack, tmp_path_factory.mktemp("home")
    first = Helm(stack.helm, home, stack.kubeconfig)
    first.run("uninstall", RELEASE, "--ignore-not-found", "--wait")
    helm = Helm(checker("helm3"), home, stack.kubeconfig) if request.param == "helm3" else first
    builder = KustoConnectionStringBuilder(stack.env()["KUSTO_ENDPOINT"])
    with KustoClient(builder) as kusto:
        sandbox = Sandbox(stack, kusto, f"upgraded-by-{request.param}")
        yield Life(stack, sandbox, helm, keep=helm is first, code=code)


def test_the_last_release_is_installed_and_runs_its_own_code(life: Life) -> None:
    values = life.values(old=True)
    life.helm.run("install", RELEASE, str(OLD), *WAIT, values=values)
    life.until_worker_is(VERSION)


def test_an_upgrade_and_a_rollback_refuse_no_rule_and_lose_or_double_no_window(life: Life) -> None:
    sandbox, start, end = life.sandbox, hours_ago(600), hours_ago(10)
    sandbox.load(start, end)
    sandbox.admit(sandbox.rule(backfill=backfill(start, end)))
    with steady_admission(life.stack.kubeconfig) as tally:
        life.upgrade()
        life.until_worker_is(version("summaryrule-operator"))
        upgraded = cursor(sandbox)
        life.helm.run("rollback", RELEASE, *WAIT)
        life.until_worker_is(VERSION)
        end = cursor(sandbox).plus(60 * HOUR.ticks)
        sandbox.admit(sandbox.rule(backfill=backfill(start, end)))
        (record, *_) = sandbox.until_cleared()["status"]["backfillHistory"]
    assert start < upgraded < end
    assert tally.refused == []
    assert tally.admitted > 30
    # A quick machine is past that end before the worker hears of it.
    sandbox.assert_exactly_once(start, max(end, Instant.parse(record["doneUntil"])))


def test_after_a_second_upgrade_helm_test_passes_and_names_are_those_of_before(life: Life) -> None:
    life.upgrade()
    assert "Phase:          Succeeded" in life.helm.run("test", RELEASE)
    last = time.monotonic() + 30.0  # helm 3 does not wait for the Pods that go
    while (names := {process.name for process in life.stack.processes()}) != NAMES:
        assert time.monotonic() < last, names
        time.sleep(0.2)


def test_uninstalling_in_the_middle_of_a_window_leaves_what_keep_says(life: Life) -> None:
    sandbox, start, end = life.sandbox, hours_ago(400), hours_ago(10)
    sandbox.admit(sandbox.rule(backfill=backfill(start, end)))
    sandbox.until(lambda rule: bool(rule["metadata"].get("finalizers")), "a window in flight")
    assert len(remains(sandbox)) > 20
    life.helm.run("uninstall", RELEASE, "--wait")
    kept = {"Namespace/summaryrule-system"} | ({CRD} if life.keep else set())
    wait_until_only(sandbox, kept)
    if life.keep:
        assert "finalizers" not in sandbox.get()["metadata"]
        assert (
            sandbox.kubectl("delete", "summaryrule", sandbox.name, "--timeout=10s").returncode == 0
        )


def cursor(sandbox: Sandbox) -> Instant:
    """Give the start of what the backfill has yet to do; a failure when it is over."""
    return Instant.parse(sandbox.get()["spec"]["backfill"]["start"])


def wait_until_only(sandbox: Sandbox, kept: set[str]) -> None:
    """Dependents of what was deleted go a moment later."""
    last = time.monotonic() + 30.0
    while (left := remains(sandbox)) != kept:
        assert time.monotonic() < last, left ^ kept
        time.sleep(0.3)
