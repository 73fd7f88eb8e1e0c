"""Workers with one gateway each, which can count, delay and drop what a worker sends."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from devstack.stack import Stack
from tests.e2e.gateway import Gateway
from tests.e2e.workers import LEASE, WorkerProcess, kubectl


class Candidate(WorkerProcess):
    """One worker that competes for the Lease."""

    def __init__(
        self, stack: Stack, gateway: Gateway, identity: str, folder: Path, databases: Sequence[str]
    ) -> None:
        endpoints = [f"{each}={gateway.kusto}" for each in databases]
        super().__init__(
            stack, identity, folder, cluster={"server": gateway.api}, endpoints=endpoints
        )
        self.gateway = gateway


def holder(stack: Stack) -> str:
    """Return the holder of the worker's Lease, empty when there is none."""
    path = "jsonpath={.spec.holderIdentity}"
    return kubectl(stack, "get", "lease", LEASE, "--ignore-not-found", "-o", path)


@contextmanager
def candidates(
    stack: Stack, folder: Path, *identities: str, databases: Sequence[str] = ("Telemetry",)
) -> Iterator[list[Candidate]]:
    """Yield one candidate per identity, not started; all are ended after the block."""
    with ExitStack() as running:
        made = []
        for identity in identities:
            gateway = running.enter_context(Gateway(stack))
            made.append(Candidate(stack, gateway, identity, folder, databases))
            running.callback(made[-1].end)
        yield made
