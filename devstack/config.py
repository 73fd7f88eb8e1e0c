"""The configuration of a stack. It is passed to the supervisor process as JSON."""

import json
import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from devstack.errors import DevstackError

CHECKOUT = Path(__file__).resolve().parent.parent

OPTIONAL = ("kusto", "chart", "webhook", "worker")
"""What a stack can run without. Without `chart`, nothing is installed on the API server."""

CONTROL_PLANE = ("etcd", "kube-apiserver")
"""The processes that are not restarted when they end."""

CONTROL_PLANE_ONLY = frozenset({"kusto", "chart"})
"""The `without` of a stack that has nothing but the control plane."""

CONFIGURABLE_PORTS = ("etcd", "kube-apiserver", "kusto")
"""The processes whose port can be chosen. The others always get free ports."""


@dataclass(frozen=True, slots=True)
class StackConfig:
    """A stack in the directory `root` (absolute) that runs `binaries`.

    `ports` maps process names to ports; a process that is not named gets a free port. `python`
    runs the chart's containers, so its environment is what they can import. `feature_gates` are
    those of the API server, such as `WatchList=false`.
    """

    root: Path
    binaries: Mapping[str, Path]
    without: frozenset[str] = frozenset()
    ports: Mapping[str, int] = field(default_factory=dict)
    python: str = sys.executable
    feature_gates: tuple[str, ...] = ()

    def to_json(self) -> str:
        """Return the configuration as JSON text."""
        return json.dumps(
            {
                "root": str(self.root),
                "binaries": {name: str(path) for name, path in self.binaries.items()},
                "without": sorted(self.without),
                "ports": dict(self.ports),
                "python": self.python,
                "feature_gates": self.feature_gates,
            }
        )

    @classmethod
    def from_json(cls, text: str) -> "StackConfig":
        """Read what `to_json` wrote."""
        data = json.loads(text)
        return cls(
            root=Path(data["root"]),
            binaries={name: Path(path) for name, path in data["binaries"].items()},
            without=frozenset(data["without"]),
            ports=data["ports"],
            python=data["python"],
            feature_gates=tuple(data["feature_gates"]),
        )


def parse_without(names: Collection[str]) -> frozenset[str]:
    """Return `names` as a set.

    Raises:
        DevstackError: a name is not in `OPTIONAL`.
    """
    for name in names:
        if name not in OPTIONAL:
            raise DevstackError(
                f"--without {name}: a stack can run without {', '.join(OPTIONAL)} only"
            )
    return frozenset(names)


def parse_ports(pairs: Collection[str]) -> dict[str, int]:
    """Read `NAME=N` pairs.

    Raises:
        DevstackError: NAME is not in `CONFIGURABLE_PORTS`, or N is not a port number.
    """
    ports = {}
    for pair in pairs:
        name, _, number = pair.partition("=")
        if (
            name not in CONFIGURABLE_PORTS
            or not number.isdecimal()
            or not 0 < int(number) < 1 << 16
        ):
            raise DevstackError(
                f"--port {pair}: write NAME=N, NAME one of {', '.join(CONFIGURABLE_PORTS)}, "
                "N 1 to 65535"
            )
        ports[name] = int(number)
    return ports
