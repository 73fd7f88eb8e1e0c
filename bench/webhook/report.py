"""Medians and ranges as Markdown, for docs/benchmarks.md."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from statistics import median
from typing import Final

from bench.webhook.servers import OURS, Running, Server

CONNECTIONS: Final = 8
"""At which the goals are stated."""


@dataclass(frozen=True, slots=True)
class Goal:
    """A bound on our value divided by another server's."""

    of: str
    than: str
    at_most: float | None = None
    at_least: float | None = None

    def row(self, ratio: float) -> str:
        """Return the goal, the ratio and whether it is met, as a table row."""
        most, least = self.at_most or inf, self.at_least or 0.0
        bound = f"at least {least:g}" if self.at_least else f"at most {most:g}"
        met = "yes" if least <= ratio <= most else "no"
        return f"| {self.of} {bound} times {self.than}'s | {ratio:.2f} | {met} |"


GOALS: Final = (
    Goal("CPU a request", "controller-runtime", at_most=0.7),
    Goal("CPU a request", "Kopf", at_most=0.22),
    Goal("requests/s", "Kopf", at_least=4.5),
    Goal("cold start", "Kopf", at_most=0.6),
    Goal("RSS", "Kopf", at_most=0.9),
)


@dataclass(frozen=True, slots=True)
class Sample:
    """One visit: µs of CPU per request, requests per second, latencies in µs."""

    cpu: float
    rps: float
    p50: float
    p99: float


Samples = Mapping[tuple[str, int], Sequence[Sample]]


def table(samples: Samples, running: Mapping[Server, Running], size: int, path: str) -> str:
    """Return all tables: a row per server and number of connections, starts, goals."""
    rows = [
        f"`{path}`, {size} bytes a review; median (lowest to highest) of the rounds.",
        "",
        "| Server | c | CPU µs a request | requests/s | p50 µs | p99 µs |",
        "|---|---|---|---|---|---|",
        *(_row(name, connections, seen) for (name, connections), seen in samples.items()),
        "",
        "| Server | cold start, ms | RSS after load, MiB |",
        "|---|---|---|",
        *(_start(server, each) for server, each in running.items()),
        "",
        *_goals(samples, running),
    ]
    return "\n".join(rows)


def _row(name: str, connections: int, seen: Sequence[Sample]) -> str:
    kinds = ([each.cpu for each in seen], [each.rps for each in seen])
    more = ([each.p50 for each in seen], [each.p99 for each in seen])
    cells = [f"{median(v):,.0f} ({min(v):,.0f} to {max(v):,.0f})" for v in (*kinds, *more)]
    return f"| {name} | {connections} | {' | '.join(cells)} |"


def _start(server: Server, running: Running) -> str:
    return f"| {server.name} | {running.cold_start * 1000:,.0f} | {running.resident():,.0f} |"


def _goals(samples: Samples, running: Mapping[Server, Running]) -> list[str]:
    """Return each goal as a ratio of our median to another server's."""
    if (OURS, CONNECTIONS) not in samples:
        return []
    seen = {
        name: each for (name, connections), each in samples.items() if connections == CONNECTIONS
    }
    started = {server.name: each for server, each in running.items()}
    values: dict[str, Callable[[str], float]] = {
        "CPU a request": lambda name: median(each.cpu for each in seen[name]),
        "requests/s": lambda name: median(each.rps for each in seen[name]),
        "cold start": lambda name: started[name].cold_start,
        "RSS": lambda name: started[name].resident(),
    }
    head = [f"| Goal at c={CONNECTIONS} | ratio | met |", "|---|---|---|"]
    return head + [goal.row(values[goal.of](OURS) / values[goal.of](goal.than)) for goal in GOALS]
