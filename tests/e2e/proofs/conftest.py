"""What the proofs share: a stack without a worker, and one source of samples for all their rules.

Each proof runs by itself (`make prove-…`), prints what it found, and fails on one window missing
or doubled.
"""

import itertools
from collections.abc import Iterator

import pytest
from azure.kusto.data import KustoClient, KustoConnectionStringBuilder

from devstack.stack import Stack
from tests.e2e.faults import Faults, faults_at
from tests.e2e.fixtures import Sandbox, SandboxMaker, hours_ago

LONGEST_RANGE = 29 * 24
"""Hours of samples, to now: under the thirty days that a backfill may reach back."""


@pytest.fixture(scope="session")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Give a stack with everything but a worker, so that a proof's own are alone with its rules."""
    with Stack.start(tmp_path_factory.mktemp("bare"), without=frozenset({"worker"})) as stack:
        yield stack


@pytest.fixture
def bare_faults(bare: Stack) -> Iterator[Faults]:
    with faults_at(bare.env()["KUSTO_ENDPOINT"]) as faults:
        yield faults


@pytest.fixture(scope="session")
def bare_sandbox(bare: Stack) -> Iterator[SandboxMaker]:
    """Make sandboxes on the bare stack: one rule and one table each, all over the same samples."""
    env = bare.env()
    numbers = itertools.count()
    connection = KustoConnectionStringBuilder.with_no_authentication(env["KUSTO_ENDPOINT"])
    with KustoClient(connection) as kusto:
        Sandbox(bare, kusto, "all", source="Raw_all").load(hours_ago(LONGEST_RANGE), hours_ago(0))

        def make(kind: str) -> Sandbox:
            return Sandbox(bare, kusto, f"{kind}-{next(numbers)}", source="Raw_all")

        yield make
