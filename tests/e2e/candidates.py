"""Worker processes that a proof starts, kills, stops and continues by itself.

They run as the chart's container does (same command, ServiceAccount, Lease), behind a gateway
each, next to a stack that was started without a worker.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import yaml

from devstack.chart import NAMESPACE, RELEASE
from devstack.child import leashed
from devstack.launch import CHECKOUT
from devstack.stack import Stack
from tests.e2e.gateway import Gateway

ACCOUNT = f"{RELEASE}-worker"
LEASE_NAME = f"{RELEASE}-worker"


class Candidate:
    """One worker, `identity` its name as the Lease has it: that of its pod, whatever restarts."""

    def __init__(
        self,
        stack: Stack,
        gateway: Gateway,
        identity: str,
        folder: Path,
        databases: Sequence[str] = ("Telemetry",),
    ) -> None:
        self.identity = identity
        self.gateway = gateway
        self.log = folder / f"{identity}.log"
        self._kubeconfig = folder / f"{identity}.kubeconfig"
        self._kubeconfig.write_text(yaml.safe_dump(_kubeconfig(gateway.api, _token(stack))))
        self._databases = databases
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def is_running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it, once the one before has ended: a kubelet does not run two of a container."""
        if self._process is not None:
            self._process.wait(30)
        arguments = [
            *(f"--kusto-endpoint={each}={self.gateway.kusto}" for each in self._databases),
            f"--namespace={NAMESPACE}",
            f"--lease={LEASE_NAME}",
            f"--identity={self.identity}",
            "--port=0",
        ]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                leashed([sys.executable, "-m", "worker", "run", *arguments]),
                cwd=CHECKOUT,
                env={**os.environ, "KUBECONFIG": str(self._kubeconfig)},
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    def stop(self) -> None:
        """End it, however it stands."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()


def holder(stack: Stack) -> str:
    """Who holds the worker's Lease; empty when nobody does."""
    path = "jsonpath={.spec.holderIdentity}"
    return _kubectl(stack, "get", "lease", LEASE_NAME, "--ignore-not-found", "-o", path)


def _token(stack: Stack) -> str:
    return _kubectl(stack, "create", "token", ACCOUNT, "--duration=24h")


def _kubectl(stack: Stack, *arguments: str) -> str:
    done = subprocess.run(
        [stack.kubectl, "-n", NAMESPACE, *arguments],
        env=stack.env(),
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def _kubeconfig(server: str, token: str) -> dict[str, object]:
    name = "worker"
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "clusters": [{"name": name, "cluster": {"server": server}}],
        "users": [{"name": name, "user": {"token": token}}],
    }


@contextmanager
def candidates(
    stack: Stack, folder: Path, *identities: str, databases: Sequence[str] = ("Telemetry",)
) -> Iterator[list[Candidate]]:
    """A candidate, not yet started, for each identity; all have ended after the block."""
    with ExitStack() as running:
        made = []
        for identity in identities:
            gateway = running.enter_context(Gateway(stack))
            made.append(Candidate(stack, gateway, identity, folder, databases))
            running.callback(made[-1].stop)
        yield made
