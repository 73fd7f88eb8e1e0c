"""The stack of the drill, with everything that the chart installs, and the table at its end."""

import itertools
import os
from collections.abc import Iterator

import pytest
from azure.kusto.data import KustoClient, KustoConnectionStringBuilder

from devstack.stack import Stack
from tests.e2e.faults import Faults, faults_at
from tests.e2e.fixtures import Sandbox, SandboxMaker, hours_ago
from tests.e2e.proofs.drill.report import Report
from tests.e2e.proofs.drill.surfaces import Operator

SAMPLES_SINCE = 30 * 24
"""Hours of samples, which all rules of the drill read."""


@pytest.fixture(scope="session")
def report() -> Iterator[Report]:
    made = Report()
    yield made
    made.show()


@pytest.fixture(scope="session")
def whole_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AZURE_")]:
            patch.delenv(name)
        with Stack.start(tmp_path_factory.mktemp("drill")) as stack:
            yield stack


@pytest.fixture(scope="session")
def operator(whole_stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Operator:
    return Operator(whole_stack, tmp_path_factory.mktemp("home"))


@pytest.fixture
def drill_faults(whole_stack: Stack) -> Iterator[Faults]:
    with faults_at(whole_stack.env()["KUSTO_ENDPOINT"]) as faults:
        yield faults


@pytest.fixture(scope="session")
def make(whole_stack: Stack) -> Iterator[SandboxMaker]:
    """Make one more rule over the same samples."""
    endpoint = whole_stack.env()["KUSTO_ENDPOINT"]
    numbers = itertools.count()
    connection = KustoConnectionStringBuilder.with_no_authentication(endpoint)
    with KustoClient(connection) as kusto:
        Sandbox(whole_stack, kusto, "all", source="Raw_all").load(
            hours_ago(SAMPLES_SINCE), hours_ago(0)
        )

        def one_more(kind: str) -> Sandbox:
            return Sandbox(whole_stack, kusto, f"{kind}-{next(numbers)}", source="Raw_all")

        yield one_more
