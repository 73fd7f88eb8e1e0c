"""`kubectl summaryrule check` finds each fault of a real installation, and its fix works.

The stack is the module's own: the faults take away what other tests need.
"""

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from devstack.chart import CHART, NAMESPACE, RELEASE
from devstack.stack import Stack

PATIENCE_SECONDS = 60.0
ADA = ("--as=ada",)
VALIDATION = f"validatingwebhookconfiguration/{RELEASE}"
ASTRAY = {
    "apiVersion": "adx-mon.azure.com/v1",
    "kind": "SummaryRule",
    "metadata": {"name": "astray"},
    "spec": {"database": "Nowhere", "table": "T", "interval": "1h", "body": "T | count"},
}


class Installation:
    """The stack, and what was taken away from it."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.removed = ""

    def kubectl(self, *words: str, given: str = "") -> str:
        done = subprocess.run(
            [self.stack.kubectl, *words],
            env=self.stack.env(),
            input=given,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def check(self, *flags: str, **environ: str) -> tuple[int, str]:
        done = subprocess.run(
            [self.stack.kubectl, "summaryrule", "check", *flags],
            env={**self.stack.env(), **environ},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        return done.returncode, done.stdout + done.stderr

    def scale(self, component: str, replicas: int) -> None:
        deployment = f"deployment/{RELEASE}-{component}"
        self.kubectl("scale", deployment, "-n", NAMESPACE, f"--replicas={replicas}")

    def bind(self, *roles: str) -> None:
        for role in roles:
            words = (f"--clusterrole={RELEASE}-{role}", "--user=ada")
            self.kubectl("create", "clusterrolebinding", f"ada-{role}", *words)

    def remove(self, resource: str) -> None:
        self.removed = self.kubectl("get", resource, "-o", "json")
        self.kubectl("delete", resource)

    def restore(self) -> None:
        kept = json.loads(self.removed)
        for name in ("resourceVersion", "uid", "creationTimestamp", "generation"):
            del kept["metadata"][name]
        self.kubectl("create", "-f", "-", given=json.dumps(kept))


Step = Callable[[Installation], object]


def nothing(_: Installation) -> None:
    """The fault is in the user's own settings."""


@dataclass(frozen=True)
class Fault:
    """How to make it, what `check` says, the fix that it names, and how to do what it says."""

    make: Step
    said: tuple[str, ...]
    fix: str
    repair: Step
    flags: tuple[str, ...] = ()
    flags_after: tuple[str, ...] = ()
    environ: dict[str, str] = field(default_factory=dict)
    code: int = 1


FAULTS = {
    "kubectl is not on PATH": Fault(
        nothing,
        ("no-such-kubectl is not on PATH",),
        "install kubectl, or set KUBECTL",
        nothing,
        environ={"KUBECTL": "no-such-kubectl"},
        code=2,
    ),
    "the context does not exist": Fault(
        nothing,
        ("failed   CRD: ", 'context "nowhere" does not exist'),
        "check the context",
        nothing,
        ("--context=nowhere",),
    ),
    "no API server answers": Fault(
        nothing,
        ("failed   CRD: The connection to the server 127.0.0.1:1 was refused",),
        "check the context",
        nothing,
        ("--server=https://127.0.0.1:1",),
    ),
    "the login has no role": Fault(
        nothing,
        ("failed   permissions: this login may not get, list, patch",),
        "ask for the ClusterRole edit",
        lambda here: here.bind("view", "edit"),
        ADA,
        ADA,
    ),
    "the login may only read": Fault(
        lambda here: here.kubectl("delete", "clusterrolebinding", "ada-edit"),
        ("failed   permissions: this login may not patch",),
        "ask for the ClusterRole edit",
        lambda here: here.bind("edit"),
        ADA,
        ADA,
    ),
    "no webhook runs": Fault(
        lambda here: here.scale("webhook", 0),
        ("failed   webhook: ", "failed calling webhook"),
        "kubectl get pods -A -l app.kubernetes.io/component=webhook",
        lambda here: here.scale("webhook", 1),
    ),
    "no webhook is registered": Fault(
        lambda here: here.remove(VALIDATION),
        ("failed   webhook: the API server does not ask a webhook",),
        "install the chart with webhook.enabled=true",
        Installation.restore,
    ),
    "no worker runs": Fault(
        lambda here: here.scale("worker", 0),
        ("failed   worker: no worker leads since 20",),
        "start a worker",
        lambda here: here.scale("worker", 1),
    ),
    "a database has no endpoint": Fault(
        lambda here: here.kubectl("create", "-f", "-", given=json.dumps(ASTRAY)),
        ("failed   endpoints: ", "Nowhere"),
        "correct spec.database",
        lambda here: here.kubectl("delete", "summaryrule", "astray"),
    ),
    "the CRD is not there": Fault(
        lambda here: here.kubectl("delete", "-f", str(CHART / "files/crd.yaml")),
        ("failed   CRD: the API server does not serve summaryrules",),
        "install the chart, with crds.enabled=true",
        lambda here: here.kubectl("create", "-f", str(CHART / "files/crd.yaml")),
    ),
}
"""In this order: the last one removes all rules."""


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    root: Path = tmp_path_factory.mktemp("faults")
    with Stack.start(root) as stack:
        here = Installation(stack)
        until(lambda: here.check()[0] == 0, here.check)
        yield here


def until(holds: Callable[[], bool], last: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < end, last()
        time.sleep(0.3)


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_found_and_its_fix_works(installation: Installation, name: str) -> None:
    fault = FAULTS[name]
    fault.make(installation)

    def checked() -> tuple[int, str]:
        return installation.check(*fault.flags, **fault.environ)

    until(lambda: all(each in checked()[1] for each in fault.said), checked)
    code, said = checked()
    assert code == fault.code, said
    assert fault.fix in said
    fault.repair(installation)
    until(
        lambda: installation.check(*fault.flags_after)[0] == 0,
        lambda: installation.check(*fault.flags_after),
    )
