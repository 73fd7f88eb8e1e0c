"""What is asked of a new stack: plain data that the caller hands to the supervisor's process.

Built by `__main__` (`up`) and `stack.py`, read by `host.py`.
"""

import json
import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from devstack.errors import DevstackError

OPTIONAL = ("kusto", "chart", "webhook", "worker")
"""What a stack may do without. Without `chart`, nothing is installed on the API server."""

CONTROL_PLANE_ONLY = frozenset({"kusto", "chart"})

DETACH = b"detach\n"
"""What a launcher says to a supervisor that is to outlive it."""

PORTS = ("etcd", "kube-apiserver", "kusto")
"""Whose port can be chosen; the others get free ones always."""


@dataclass(frozen=True, slots=True)
class Order:
    """A stack in `root` (absolute) made of `binaries`, with some ports wanted.

    `python` runs the chart's containers, as the image's own would: its environment is what they
    can import. `gates` are the API server's feature gates, such as `WatchList=false`.
    """

    root: Path
    binaries: Mapping[str, Path]
    without: frozenset[str] = frozenset()
    ports: Mapping[str, int] = field(default_factory=dict)
    python: str = sys.executable
    gates: tuple[str, ...] = ()

    def to_json(self) -> str:
        """Give the order as text."""
        return json.dumps(
            {
                "root": str(self.root),
                "binaries": {name: str(path) for name, path in self.binaries.items()},
                "without": sorted(self.without),
                "ports": dict(self.ports),
                "python": self.python,
                "gates": self.gates,
            }
        )

    @classmethod
    def from_json(cls, text: str) -> "Order":
        """Read what `to_json` wrote."""
        data = json.loads(text)
        return cls(
            root=Path(data["root"]),
            binaries={name: Path(path) for name, path in data["binaries"].items()},
            without=frozenset(data["without"]),
            ports=data["ports"],
            python=data["python"],
            gates=tuple(data["gates"]),
        )


def check_without(names: Collection[str]) -> frozenset[str]:
    """Give `names` as a set.

    Raises:
        DevstackError: one is not a thing a stack may do without.
    """
    for name in names:
        if name not in OPTIONAL:
            raise DevstackError(
                f"--without {name}: a stack can do without {', '.join(OPTIONAL)} only"
            )
    return frozenset(names)


def check_ports(pairs: Collection[str]) -> dict[str, int]:
    """Read `NAME=N` pairs.

    Raises:
        DevstackError: a name has no port to choose, or N is no port.
    """
    ports = {}
    for pair in pairs:
        name, _, number = pair.partition("=")
        if name not in PORTS or not number.isdecimal() or not 0 < int(number) < 1 << 16:
            raise DevstackError(
                f"--port {pair}: write NAME=N, NAME one of {', '.join(PORTS)}, N 1 to 65535"
            )
        ports[name] = int(number)
    return ports
