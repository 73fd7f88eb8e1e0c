"""`make prove-drill`: what can be wrong with a Kusto endpoint."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from azure.kusto.data import KustoClient, KustoConnectionStringBuilder

from devstack.parent_death import tie_to_parent
from devstack.ports import HOST, find_free
from devstack.process_spec import http_health
from devstack.stack import Stack
from tests.e2e.fixtures import Sandbox, SandboxMaker, backfill, hours_ago
from tests.e2e.proofs.drill.report import Report
from tests.e2e.proofs.drill.surfaces import Operator, Surface

START, END = hours_ago(150), hours_ago(2)
NO_LOGIN = "https://mycluster.westeurope.kusto.windows.net"

pytestmark = [pytest.mark.e2e, pytest.mark.proof, pytest.mark.timeout(400)]


class Server:
    """A program that listens on a port of its own, until it is killed; it can start again."""

    def __init__(self, *words: str) -> None:
        self.port = find_free()
        self.url = f"http://{HOST}:{self.port}"
        self._words = [word.format(port=self.port) for word in words]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(tie_to_parent([sys.executable, "-m", *self._words]))

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()


@pytest.fixture
def second_kusto(tmp_path: Path) -> Iterator[Server]:
    server = Server("emulator", "--data", str(tmp_path / "kusto"), "--port", "{port}")
    server.start()
    yield server
    server.kill()


@pytest.fixture
def other_server(tmp_path: Path) -> Iterator[Server]:
    words = ("http.server", "{port}", "--bind", HOST, "--directory", str(tmp_path))
    server = Server(*words)
    server.start()
    yield server
    server.kill()


async def is_kusto(url: str) -> bool:
    return await http_health(f"{url}/v1/rest/auth/metadata")()


def is_ready(operator: Operator, name: str) -> bool:
    line = f"kubectl wait summaryrule/{name} --for=condition=Ready --timeout=1s"
    return operator.run(line).returncode == 0


def begin_backfill(sandbox: Sandbox) -> None:
    """A backfill of hundreds of windows that has begun."""
    sandbox.admit(sandbox.rule(backfill=backfill(START, END)))
    sandbox.until(lambda rule: rule["status"]["backfill"]["windowsDone"] > 1, "a few windows")


async def test_an_endpoint_that_refuses_connections(
    operator: Operator, whole_stack: Stack, report: Report, second_kusto: Server
) -> None:
    while not await is_kusto(second_kusto.url):
        pass
    connection = KustoConnectionStringBuilder.with_no_authentication(second_kusto.url)
    with KustoClient(connection) as kusto:
        kusto.execute_mgmt("Telemetry", ".create database Second")
        sandbox = Sandbox(whole_stack, kusto, "refusing", "Second")
        sandbox.load(START, END)
        operator.set_values(f"kusto.endpoints.Second={second_kusto.url}")
        begin_backfill(sandbox)
        row = report.begin("Kusto refuses connections")
        second_kusto.kill()
        row.until_said(operator.of_rule(sandbox.name, "EndpointUnavailable", second_kusto.url))
        remedy = operator.remedy(sandbox.name, "EndpointUnavailable")
        assert remedy.startswith("check the endpoint that the message names")
        second_kusto.start()
        row.until_recovered(
            "the endpoint was started again", lambda: is_ready(operator, sandbox.name)
        )
        sandbox.until_cleared(180)
        sandbox.assert_exactly_once(START, END)
    operator.must(f"kubectl delete summaryrule {sandbox.name}")


def test_an_endpoint_that_hangs(
    operator: Operator, whole_stack: Stack, report: Report, make: SandboxMaker
) -> None:
    sandbox = make("hanging")
    begin_backfill(sandbox)
    kusto = whole_stack.process("kusto")
    assert kusto.pid is not None
    row = report.begin("Kusto hangs (SIGSTOP)")
    os.kill(kusto.pid, signal.SIGSTOP)
    try:
        row.until_said(operator.of_rule(sandbox.name, "EndpointUnavailable", kusto.address))
        remedy = operator.remedy(sandbox.name, "EndpointUnavailable")
        assert remedy.startswith("check the endpoint that the message names")
    finally:
        os.kill(kusto.pid, signal.SIGCONT)
    row.until_recovered("the endpoint was continued", lambda: is_ready(operator, sandbox.name))
    sandbox.until_cleared(180)
    sandbox.assert_exactly_once(START, END)


def test_an_endpoint_without_an_identity(
    operator: Operator, report: Report, make: SandboxMaker
) -> None:
    sandbox = make("nobody")
    rule = sandbox.rule(suspend=False)
    rule["spec"]["database"] = "Prod"
    operator.set_values(f"kusto.endpoints.Prod={NO_LOGIN}")
    row = report.begin("the right endpoint, no identity")
    sandbox.admit(rule)
    missing = f"no token for {NO_LOGIN} as "
    row.until_said(operator.of_rule(sandbox.name, "EndpointUnavailable", missing))
    told = operator.output(f"kubectl summaryrule explain {sandbox.name}")
    assert "or kusto.clientSecret" in told
    operator.must(
        "kubectl -n summaryrule-system create secret generic login --from-literal=tenantId=t"
        " --from-literal=clientId=c --from-literal=clientSecret=s"
    )
    operator.set_values("kusto.clientSecret.existingSecret=login")
    said = Surface(
        lambda: operator.output(f"kubectl summaryrule explain {sandbox.name}"),
        (f"{missing}client-secret (client c, tenant t)", "check the tenant, client and secret"),
    )
    row.until_recovered("`kusto.clientSecret` was set", said.says)
    row.recovered += ": the next message names the new identity; Azure cannot be asked here"
    operator.must(f"kubectl delete summaryrule {sandbox.name}")
    operator.set_values("kusto.clientSecret.existingSecret=", "kusto.endpoints.Prod=null")


def test_a_wrong_url_of_an_endpoint(
    operator: Operator, whole_stack: Stack, report: Report, make: SandboxMaker, other_server: Server
) -> None:
    for wrong in ("http://kusto.example.com", "mycluster"):
        with pytest.raises(AssertionError, match="https"):
            operator.set_values(f"kusto.endpoints.Wrong={wrong}")
    sandbox = make("elsewhere")
    operator.set_values(f"kusto.endpoints.Wrong={other_server.url}")
    rule = sandbox.rule(suspend=False)
    rule["spec"]["database"] = "Wrong"
    row = report.begin("the endpoint's URL is that of another server")
    sandbox.admit(rule)
    row.until_said(operator.of_rule(sandbox.name, "EndpointUnavailable", other_server.url))
    remedy = operator.remedy(sandbox.name, "EndpointUnavailable")
    assert remedy.startswith("check the endpoint that the message names")
    sandbox.kusto.execute_mgmt("Telemetry", ".create database Wrong")
    right = Sandbox(whole_stack, sandbox.kusto, "all", "Wrong", source=sandbox.raw)
    right.load(hours_ago(4), hours_ago(0))
    operator.set_values(f"kusto.endpoints.Wrong={whole_stack.env()['KUSTO_ENDPOINT']}")
    row.until_recovered("the URL was corrected", lambda: is_ready(operator, sandbox.name))
    operator.must(f"kubectl delete summaryrule {sandbox.name}")
    operator.set_values("kusto.endpoints.Wrong=null")


def test_a_wrong_name_of_a_database(operator: Operator, report: Report, make: SandboxMaker) -> None:
    sandbox = make("elsewhere")
    rule = sandbox.rule(suspend=False, database="Telemetrie")
    row = report.begin("a wrong database")
    sandbox.admit(rule)
    row.until_said(operator.of_rule(sandbox.name, "NoEndpoint", "'Telemetrie'"))
    remedy = operator.remedy(sandbox.name, "NoEndpoint")
    assert "or correct spec.database" in remedy
    sandbox.admit(sandbox.rule(suspend=False))
    row.until_recovered("`spec.database` was corrected", lambda: is_ready(operator, sandbox.name))
