"""Workers that share shards, as processes that the proof starts, kills and stops by itself.

Each runs as the chart's container does (same command, ServiceAccount, Leases), next to a stack that
was started without a worker.
"""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import yaml

from devstack.chart import CHART, NAMESPACE, RELEASE
from devstack.child import leashed
from devstack.launch import CHECKOUT
from devstack.stack import Stack

LEASE = f"{RELEASE}-worker"


class Member:
    """One worker, `identity` its name as the Leases have it: that of its pod, whatever restarts."""

    def __init__(self, stack: Stack, identity: str, folder: Path) -> None:
        self.identity = identity
        self.log = folder / f"{identity}.log"
        self._kubeconfig = folder / f"{identity}.kubeconfig"
        self._kubeconfig.write_text(yaml.safe_dump(_kubeconfig(stack)))
        self._env = stack.env()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, shards: int) -> None:
        """Start it, once the one before has ended: a kubelet does not run two of a container."""
        if self._process is not None:
            self._process.wait(30)
        arguments = [
            f"--kusto-endpoint={self._env['KUSTO_DATABASE']}={self._env['KUSTO_ENDPOINT']}",
            f"--namespace={NAMESPACE}",
            f"--lease={LEASE}",
            f"--identity={self.identity}",
            f"--shards={shards}",
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

    def end(self) -> None:
        """End it, however it stands."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()


class Crew:
    """The members, and the Leases that they share."""

    def __init__(self, stack: Stack, members: list[Member]) -> None:
        self._stack, self.members = stack, members

    def holders(self, shards: int) -> dict[int, str]:
        """Who holds each shard; shards that nobody holds are left out."""
        leases = self._leases()
        found = {
            shard: leases.get(f"{LEASE}-{shard}", {}).get("holderIdentity")
            for shard in range(shards)
        }
        return {shard: holder for shard, holder in found.items() if holder}

    def share(self, shards: int) -> list[int]:
        """How many shards each member holds that holds any, the most first."""
        return sorted(Counter(self.holders(shards).values()).values(), reverse=True)

    def number(self) -> str:
        """Whom the common Lease says to hold it: `4 shards`."""
        return str(self._leases().get(LEASE, {}).get("holderIdentity", ""))

    def richest(self, shards: int) -> Member:
        """The member that holds most shards."""
        name, _ = Counter(self.holders(shards).values()).most_common(1)[0]
        return next(each for each in self.members if each.identity == name)

    def _leases(self) -> dict[str, dict[str, Any]]:
        listed = json.loads(_kubectl(self._stack, "get", "leases", "-o", "json"))
        return {item["metadata"]["name"]: item["spec"] for item in listed["items"]}


@contextmanager
def crew(stack: Stack, folder: Path, *identities: str) -> Iterator[Crew]:
    """A member, not yet started, for each identity; all have ended after the block."""
    with ExitStack() as running:
        members = [Member(stack, identity, folder) for identity in identities]
        for each in members:
            running.callback(each.end)
        yield Crew(stack, members)


def allow(stack: Stack, shards: int, folder: Path) -> None:
    """Let the chart give the worker's account the Leases of so many shards."""
    helm = [str(stack.helm), "upgrade", RELEASE, str(CHART), "--namespace", NAMESPACE]
    places = {f"HELM_{kind}_HOME": str(folder / kind.lower()) for kind in ("CACHE", "DATA")}
    subprocess.run(
        [*helm, "--reuse-values", "--set", f"worker.shards={shards}"],
        env={**stack.env(), **places},
        capture_output=True,
        text=True,
        check=True,
    )


def _kubectl(stack: Stack, *arguments: str) -> str:
    done = subprocess.run(
        [stack.kubectl, "-n", NAMESPACE, *arguments],
        env=stack.env(),
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def _kubeconfig(stack: Stack) -> dict[str, object]:
    name = "worker"
    cluster = {
        "server": stack.process("kube-apiserver").address,
        "certificate-authority": str(stack.folder.pki / "ca.crt"),
    }
    token = _kubectl(stack, "create", "token", f"{RELEASE}-worker", "--duration=1h")
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "clusters": [{"name": name, "cluster": cluster}],
        "users": [{"name": name, "user": {"token": token}}],
    }
