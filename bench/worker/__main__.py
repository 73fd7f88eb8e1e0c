"""Measure: ``python -m bench.worker [serial month waiting many] [--runs 3]``.

Each on a stack as ``make up`` starts it: real API server and etcd, webhook, one worker, the local
Kusto endpoint. Prints a line a run and, of several, the median and the range.
"""

import argparse
import asyncio
import os
import platform
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from statistics import median

from bench.worker import many, pace
from bench.worker.rig import Rig, rig
from devstack.ports import no_proxy_variables

_PARTS = ("serial", "month", "waiting", "many")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the parts that are named, or all."""
    options = _parser().parse_args(arguments)
    os.environ |= no_proxy_variables(os.environ)
    print(f"{datetime.now(UTC):%Y-%m-%d %H:%M}, {os.cpu_count()} cores, Python", end=" ")
    print(platform.python_version(), flush=True)
    asyncio.run(_measure(options))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.worker", description=__doc__)
    add = parser.add_argument
    add("parts", nargs="*", choices=[*_PARTS, []], help=f"of {', '.join(_PARTS)}; default: all")
    add("--runs", type=int, default=3, help="backfills a part (default: %(default)s)")
    add("--rules", type=int, default=10_000, help="of many (default: %(default)s)")
    add("--seconds", type=float, default=60, help="many is watched for (default: %(default)s)")
    return parser


async def _measure(options: argparse.Namespace) -> None:
    parts = options.parts or _PARTS
    async with rig() as found:
        for part in parts:
            load = os.getloadavg()[0]
            print(f"{part} (load {load:.1f})", flush=True)
            await _MEASURES[part](found, options)
    sys.stdout.flush()


async def _backfills(found: Rig, options: argparse.Namespace, name: str, size: "Size") -> None:
    runs, (windows, at_once, seconds) = [], size
    latency = await pace.latency(found, f"{name}-calibration", at_once, seconds)
    for number in range(options.runs):
        runs.append(await pace.backfill(found, f"{name}-{number}", windows, at_once, latency))
        print(f"  {runs[-1]}", flush=True)
    print(f"  wall/operations {_spread([run.ratio for run in runs], 3)}")
    print(f"  places taken {_spread([run.taken for run in runs], 2)}")
    print(f"  windows/min {_spread([run.a_minute for run in runs], 0)}")
    print(f"  times one window a minute {_spread([run.to_documented for run in runs], 0)}")


async def _waiting(found: Rig, _options: argparse.Namespace) -> None:
    print(f"  {await pace.waiting(found, 'waiting', 3)}", flush=True)


async def _many(found: Rig, options: argparse.Namespace) -> None:
    took = await asyncio.to_thread(many.fill, found, options.rules)
    print(f"  stored in {took:.0f} s", flush=True)
    print(f"  {await many.measure(found, options.rules, options.seconds)}", flush=True)


def _spread(values: list[float], digits: int) -> str:
    low, high = min(values), max(values)
    return f"{median(values):.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


Size = tuple[int, int, float]
_MEASURES = {
    "serial": lambda found, options: _backfills(found, options, "serial", (30, 1, 1.0)),
    "month": lambda found, options: _backfills(found, options, "month", (720, 20, 1.0)),
    "waiting": _waiting,
    "many": _many,
}


if __name__ == "__main__":
    sys.exit(main())
