"""Fixtures of the e2e tests: one sandbox per test, on one shared stack."""

import re
import uuid
from collections.abc import Iterator

import pytest
from azure.kusto.data import KustoClient, KustoConnectionStringBuilder

from devstack.stack import Stack
from tests.e2e.faults import Faults, faults_at
from tests.e2e.fixtures import Sandbox


@pytest.fixture(scope="session")
def kusto(stack: Stack) -> Iterator[KustoClient]:
    endpoint = stack.env()["KUSTO_ENDPOINT"]
    with KustoClient(KustoConnectionStringBuilder.with_no_authentication(endpoint)) as client:
        yield client


@pytest.fixture
def faults(stack: Stack) -> Iterator[Faults]:
    with faults_at(stack.env()["KUSTO_ENDPOINT"]) as found:
        yield found


@pytest.fixture
def sandbox(stack: Stack, kusto: KustoClient, request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    name = re.sub(r"[^a-z0-9]+", "-", request.node.name.removeprefix("test_").lower())
    unique = f"{name[:40].strip('-')}-{uuid.uuid4().hex[:6]}"
    made = Sandbox(stack, kusto, unique, stack.env()["KUSTO_DATABASE"])
    yield made
    made.kubectl("delete", "summaryrule", made.name, "--ignore-not-found", "--wait=false")
