"""A worker process that a proof starts, kills, stops and continues by itself.

It runs as the chart's container does (same command, ServiceAccount, Lease), next to a stack without
a worker.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from devstack.chart import NAMESPACE, RELEASE
from devstack.child import leashed
from devstack.launch import CHECKOUT
from devstack.stack import Stack

ACCOUNT = f"{RELEASE}-worker"
LEASE = f"{RELEASE}-worker"


class WorkerProcess:
    """One worker, `identity` its name as the Lease has it: that of its pod, whatever restarts."""

    def __init__(
        self,
        stack: Stack,
        identity: str,
        folder: Path,
        *,
        cluster: Mapping[str, str],
        endpoints: Sequence[str],
    ) -> None:
        """`cluster` is the kubeconfig's way to the API server, `endpoints` are `database=url`."""
        self.identity = identity
        self.log = folder / f"{identity}.log"
        self._kubeconfig = folder / f"{identity}.kubeconfig"
        self._kubeconfig.write_text(yaml.safe_dump(_kubeconfig(cluster, _token(stack))))
        self._endpoints = endpoints
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def is_running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.poll() is None

    def start(self, *options: str) -> None:
        """Start it, once the one before has ended: a kubelet does not run two of a container."""
        if self._process is not None:
            self._process.wait(30)
        arguments = [
            *(f"--kusto-endpoint={each}" for each in self._endpoints),
            f"--namespace={NAMESPACE}",
            f"--lease={LEASE}",
            f"--identity={self.identity}",
            "--port=0",
            *options,
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

    def end(self) -> None:
        """End it, however it stands."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()


def kubectl(stack: Stack, *arguments: str) -> str:
    """What kubectl prints about the operator's namespace."""
    done = subprocess.run(
        [stack.kubectl, "-n", NAMESPACE, *arguments],
        env=stack.env(),
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def _token(stack: Stack) -> str:
    return kubectl(stack, "create", "token", ACCOUNT, "--duration=24h")


def _kubeconfig(cluster: Mapping[str, str], token: str) -> dict[str, object]:
    name = "worker"
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "clusters": [{"name": name, "cluster": dict(cluster)}],
        "users": [{"name": name, "user": {"token": token}}],
    }
