"""A worker process that a test starts, kills, stops and continues.

It runs like the chart's container (same command, ServiceAccount, Lease), beside a stack that has no
worker.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from devstack.chart import NAMESPACE, RELEASE
from devstack.config import CHECKOUT
from devstack.parent_death import tie_to_parent
from devstack.stack import Stack

ACCOUNT = f"{RELEASE}-worker"
LEASE = f"{RELEASE}-worker"


class WorkerProcess:
    """One worker. `identity` is its name in the Lease: that of its Pod, which a restart keeps."""

    def __init__(
        self,
        stack: Stack,
        identity: str,
        directory: Path,
        *,
        cluster: Mapping[str, str],
        endpoints: Sequence[str],
    ) -> None:
        """`cluster` is the cluster entry of the kubeconfig, `endpoints` are `database=url`."""
        self.identity = identity
        self.log = directory / f"{identity}.log"
        self._kubeconfig = directory / f"{identity}.kubeconfig"
        self._kubeconfig.write_text(yaml.safe_dump(_kubeconfig(cluster, _token(stack))))
        self._endpoints = endpoints
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def is_running(self) -> bool:
        """Whether the process is running."""
        return self._process is not None and self._process.poll() is None

    def start(self, *options: str) -> None:
        """Start it after the previous process has ended, as a kubelet does."""
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
                tie_to_parent([sys.executable, "-m", "worker", "run", *arguments]),
                cwd=CHECKOUT,
                env={**os.environ, "KUBECONFIG": str(self._kubeconfig)},
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process."""
        assert self._process is not None
        self._process.send_signal(number)

    def end(self) -> None:
        """Kill the process if it is running."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()


def kubectl(stack: Stack, *arguments: str) -> str:
    """Return the output of kubectl in the operator's namespace."""
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
