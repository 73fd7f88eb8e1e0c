"""``python -m tests.worker.simulation``: run schedules, replay one, or check the mutations."""

import argparse
import os
import sys
import time
from collections.abc import Iterator, Sequence

from tests.worker.simulation.mutations import MUTATIONS
from tests.worker.simulation.scenario import Report
from tests.worker.simulation.schedules import run_seed, simulate

_EPILOG = """examples:
  python -m tests.worker.simulation --schedules 10000
  python -m tests.worker.simulation --replay 4711
  python -m tests.worker.simulation --mutations
"""
_COMMAND = "python -m tests.worker.simulation"


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0: no violation, or each mutation found; 1: a violation, or a mutation missed."""
    options = _parser().parse_args(arguments)
    if options.replay is not None:
        return _replay(options)
    if options.mutations:
        return _check_mutations(options)
    return _simulate(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=_COMMAND,
        description="Runs the whole worker in virtual time, on in-memory adapters, with random"
        " faults, crashes and user actions. Checks the invariants.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--schedules", type=int, default=1000, metavar="N", help="how many (default 1000)")
    add("--seed", type=int, default=0, metavar="N", help="the first seed (default 0)")
    add(
        "--processes",
        type=int,
        default=os.cpu_count() or 1,
        metavar="N",
        help="processes at the same time (default: cores)",
    )
    add(
        "--replay",
        type=int,
        metavar="SEED",
        help="run one schedule and print each step",
    )
    add("--mutate", choices=sorted(MUTATIONS), help="remove this safeguard from the worker")
    add(
        "--mutations",
        action="store_true",
        help="remove each safeguard in turn; a violation must be found each time",
    )
    return parser


def _reports(options: argparse.Namespace, mutate: str | None) -> Iterator[Report]:
    seeds = range(options.seed, options.seed + options.schedules)
    return simulate(seeds, mutate, options.processes)


def _simulate(options: argparse.Namespace) -> int:
    began, bad, submits, leads = time.monotonic(), 0, 0, 0
    for done, report in enumerate(_reports(options, options.mutate), 1):
        submits += report.counts.get("submits", 0)
        leads += report.counts.get("leads", 0)
        if report.violations:
            bad += 1
            _print_violation(report, options)
        if done % 500 == 0:
            print(f"{done} schedules, {bad} with violations, {time.monotonic() - began:.0f} s")
            sys.stdout.flush()
    print(
        f"{options.schedules} schedules (seeds {options.seed} to"
        f" {options.seed + options.schedules - 1}), {submits} submits,"
        f" {leads} times a worker took rules over,"
        f" {bad} with violations, {time.monotonic() - began:.0f} s"
    )
    return 1 if bad else 0


def _print_violation(report: Report, options: argparse.Namespace) -> None:
    mutate = f" --mutate {options.mutate}" if options.mutate else ""
    print(f"seed {report.seed}: {report.violations[0]}")
    print(f"  replay: {_COMMAND}{mutate} --replay {report.seed}", flush=True)


def _replay(options: argparse.Namespace) -> int:
    report = run_seed(options.mutate, options.replay, record=True)
    print("\n".join(report.trace))
    for violation in report.violations:
        print(f"violation: {violation}")
    print(f"seed {report.seed}: {len(report.violations)} violations, {report.counts}")
    return 1 if report.violations else 0


def _check_mutations(options: argparse.Namespace) -> int:
    print(f"{'without':<8}  {'schedules':>9}  caught by")
    caught = [_check(name, options) for name in MUTATIONS]
    return 0 if all(caught) else 1


def _check(mutate: str, options: argparse.Namespace) -> bool:
    for number, report in enumerate(_reports(options, mutate), 1):
        if report.violations:
            print(f"{mutate:<8}  {number:>9}  {report.violations[0]} (seed {report.seed})")
            return True
    print(f"{mutate:<8}  {'missed':>9}  in {options.schedules} schedules")
    return False


if __name__ == "__main__":
    sys.exit(main())
