"""Measure: ``python -m bench.webhook [--rounds 5] [--seconds 3] [--path /validate]``.

Each round visits every server at every number of connections, so that a slow minute of the
machine hits all alike. The servers stay up for all rounds, pinned to one core; the load client has
the other.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from bench.webhook import report
from bench.webhook.alike import answers, effect
from bench.webhook.report import Sample
from bench.webhook.reviews import as_line, good, mixed
from bench.webhook.servers import LOAD_CORE, OURS, SERVERS, Running, Server, started
from webhook.certificates.pki import new_ca, new_leaf

FIRST_PORT: Final = 19510
HERE: Final = Path(__file__).parent
HOST: Final = "summaryrule-operator-webhook.summaryrule-system.svc"


def main(arguments: Sequence[str] | None = None) -> int:
    """Build, compare, measure, print; 1 when the servers do not answer alike."""
    options = _parser().parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="bench-webhook-") as name, ExitStack() as stack:
        folder = Path(name)
        go = options.go or _build(folder)
        _write_certificates(folder)
        now = datetime.now(UTC)
        lines = [as_line(each) for each in good(now)]
        (folder / "reviews.jsonl").write_bytes(b"\n".join(lines) + b"\n")
        running = {
            server: stack.enter_context(started(server, FIRST_PORT + n, folder, go, lines[0]))
            for n, server in enumerate(SERVERS)
        }
        # Twice, since an end that is left out depends on the hour, and one may end in between.
        differing = _differing(running, now) and _differing(running, now)
        if differing:
            print(*differing, sep="\n", file=sys.stderr)
            return 1
        samples = _measured(running, folder, go, options)
        print(report.table(samples, running, len(lines[0]), options.path))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.webhook", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="default: %(default)s")
    parser.add_argument("--seconds", type=float, default=3, help="a visit (default: %(default)s)")
    parser.add_argument("--path", default="/validate", choices=("/validate", "/mutate"))
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--go", type=Path, help="folder with the Go binaries, else they are built")
    return parser


def _build(folder: Path) -> Path:
    target = folder / "go"
    target.mkdir()
    command = ["go", "build", "-o", f"{target}/", "./cmd/..."]
    subprocess.run(command, cwd=HERE / "go", check=True)  # noqa: S603 - a fixed command
    return target


def _write_certificates(folder: Path) -> None:
    now, life = datetime.now(UTC), timedelta(days=1)
    authority = new_ca(now, life)
    leaf = new_leaf(authority, (HOST,), now, life)
    (folder / "ca.crt").write_bytes(authority.chain)
    (folder / "tls.crt").write_bytes(leaf.chain)
    (folder / "tls.key").write_bytes(leaf.key)


def _differing(running: dict[Server, Running], now: datetime) -> list[str]:
    reviews = [*good(now)[:20], *mixed(now)]
    ours = next(answers(each, reviews) for server, each in running.items() if server.name == OURS)
    found = []
    for server, each in running.items():
        if server.name == "uvicorn echo":
            continue
        theirs = answers(each, reviews)
        for index, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            same = one == other if server.answers_alike else effect(one) == effect(other)
            if not same:
                parts = [key for key in one if one[key] != other[key]]
                found.extend(
                    f"{server.name}, answer {index}, {key}: {other[key]}\n  ours: {one[key]}"
                    for key in parts
                )
    return found


def _measured(
    running: dict[Server, Running], folder: Path, go: Path, options: argparse.Namespace
) -> dict[tuple[str, int], list[Sample]]:
    samples: dict[tuple[str, int], list[Sample]] = defaultdict(list)
    for number in range(options.rounds + 1):
        for server, each in running.items():
            for connections in options.connections:
                sample = _visit(each, folder, go, connections, options)
                if number:  # the first round warms caches and is not counted
                    samples[server.name, connections].append(sample)
    return samples


def _visit(
    running: Running, folder: Path, go: Path, connections: int, options: argparse.Namespace
) -> Sample:
    command = [
        *(f"{go}/load", "-address", f"127.0.0.1:{running.port}", "-path", options.path),
        *("-bodies", f"{folder}/reviews.jsonl", "-c", str(connections)),
        *("-seconds", str(options.seconds)),
    ]
    before = running.cpu()
    done = subprocess.run(  # noqa: S603 - our own command
        command,
        check=True,
        capture_output=True,
        preexec_fn=lambda: os.sched_setaffinity(0, {LOAD_CORE}),
    )
    seen = json.loads(done.stdout)
    if seen["failures"]:
        raise RuntimeError(f"{seen['failures']} requests failed: {seen['error']}")
    cpu = (running.cpu() - before) / seen["requests"] * 1e6
    return Sample(cpu, seen["rps"], seen["p50_us"], seen["p99_us"])


if __name__ == "__main__":
    sys.exit(main())
