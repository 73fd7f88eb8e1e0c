"""Medians and ranges as Markdown, for docs/benchmarks.md."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from bench.webhook.servers import OURS, Running, Server

GOALS: Final = 8
"""Connections at which the ratios are stated."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One visit: µs of CPU a request, requests a second, latencies in µs."""

    cpu: float
    rps: float
    p50: float
    p99: float


Samples = Mapping[tuple[str, int], Sequence[Sample]]


def table(samples: Samples, running: Mapping[Server, Running], size: int, path: str) -> str:
    """Everything: one row a server and number of connections, starts, ratios."""
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
        *_ratios(samples),
    ]
    return "\n".join(rows)


def _row(name: str, connections: int, seen: Sequence[Sample]) -> str:
    kinds = ([each.cpu for each in seen], [each.rps for each in seen])
    more = ([each.p50 for each in seen], [each.p99 for each in seen])
    cells = [f"{median(v):,.0f} ({min(v):,.0f} to {max(v):,.0f})" for v in (*kinds, *more)]
    return f"| {name} | {connections} | {' | '.join(cells)} |"


def _start(server: Server, running: Running) -> str:
    return f"| {server.name} | {running.cold_start * 1000:,.0f} | {running.resident():,.0f} |"


def _ratios(samples: Samples) -> list[str]:
    ours = samples.get((OURS, GOALS))
    if not ours:
        return []
    lines = []
    for (name, connections), seen in samples.items():
        if connections == GOALS and name != OURS:
            cpu = median(e.cpu for e in ours) / median(e.cpu for e in seen)
            rps = median(e.rps for e in ours) / median(e.rps for e in seen)
            lines.append(f"- to {name}, c={GOALS}: CPU {cpu:.2f} times, requests/s {rps:.2f} times")
    return lines
