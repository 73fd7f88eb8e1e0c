"""Runs what the chart installs: the webhook and the worker.

Called by `host.py` once the control plane and the Kusto endpoint are healthy. The chart is
installed by helm as an operator would; `kubelet.py` reads the Deployments that this makes and
hands their containers to the supervisor, which restarts them under the names `webhook` and
`worker` (`worker-5` is a second Pod; it becomes `worker` when the first has gone).
"""

from dataclasses import dataclass
from typing import Protocol

from devstack.controlplane import ControlPlane
from devstack.supervisor import Supervisor


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the chart is installed for: `kusto` is the endpoint's URL, `database` its database.

    `without` holds the names that are not to run here (`worker`, `webhook`): their Deployments
    are installed all the same, but their pods are not started. `python` runs them.
    """

    kusto: str
    database: str
    without: frozenset[str]
    python: str


class Workloads(Protocol):
    """What `devstack.kubelet.Kubelet(supervisor, plane, wanted)` is to `host.py`."""

    async def start(self) -> None:
        """Install the chart (`devstack.chart`) and return once webhook and worker are ready.

        Raises:
            DevstackError: helm refused, or a container did not become ready.
        """

    async def stop(self) -> None:
        """Stop looking at the API server and starting things; what runs is left to run."""


def play(supervisor: Supervisor, plane: ControlPlane, wanted: Wanted) -> Workloads:
    """Give the kubelet, not started yet."""
    from devstack.kubelet import Kubelet  # noqa: PLC0415 - it imports `Wanted` from here

    return Kubelet(supervisor, plane, wanted)
