"""Workers that share shards, and the Leases by which they do."""

import json
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from devstack.chart import CHART, NAMESPACE, RELEASE
from devstack.stack import Stack
from tests.e2e.workers import LEASE, WorkerProcess, kubectl


class Crew:
    """The members, and the Leases that they share."""

    def __init__(self, stack: Stack, members: list[WorkerProcess]) -> None:
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

    def richest(self, shards: int) -> WorkerProcess:
        """The member that holds most shards."""
        name, _ = Counter(self.holders(shards).values()).most_common(1)[0]
        return next(each for each in self.members if each.identity == name)

    def _leases(self) -> dict[str, dict[str, Any]]:
        listed = json.loads(kubectl(self._stack, "get", "leases", "-o", "json"))
        return {item["metadata"]["name"]: item["spec"] for item in listed["items"]}


@contextmanager
def crew(stack: Stack, folder: Path, *identities: str) -> Iterator[Crew]:
    """A member, not yet started, for each identity; all have ended after the block."""
    env, api = stack.env(), stack.process("kube-apiserver").address
    cluster = {"server": api, "certificate-authority": str(stack.folder.pki / "ca.crt")}
    endpoints = [f"{env['KUSTO_DATABASE']}={env['KUSTO_ENDPOINT']}"]
    with ExitStack() as running:
        members = [
            WorkerProcess(stack, identity, folder, cluster=cluster, endpoints=endpoints)
            for identity in identities
        ]
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
