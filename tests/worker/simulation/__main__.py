"""``python -m tests.worker.simulation``: run schedules, replay one, or check the mutations."""

import argparse
import os
import sys
import time
from collections.abc import Iterator, Sequence

from tests.worker.simulation.mutations import MUTATIONS
from tests.worker.simulation.scenario import Report
from tests.worker.simulation.schedules import one, simulate

_EPILOG = """examples:
  python -m tests.worker.simulation --schedules 10000
  python -m tests.worker.simulation --replay 4711
  python -m tests.worker.simulation --mutations
"""
_COMMAND = "python -m tests.worker.simulation"


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit 0: nothing found (or each mutation caught); 1: a violation (or one missed)."""
    options = _parser().parse_args(arguments)
    if options.replay is not None:
        return _replay(options)
    if options.mutations:
        return _check_mutations(options)
    return _simulate(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=_COMMAND,
        description="The whole worker on in-memory adapters in virtual time: random schedules of"
        " faults, crashes and people, and what must hold after each.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--schedules", type=int, default=1000, metavar="N", help="how many (default 1000)")
    add("--seed", type=int, default=0, metavar="N", help="the first seed (default 0)")
    add("--processes", type=int, default=os.cpu_count() or 1, metavar="N", help="side by side")
    add("--replay", type=int, metavar="SEED", help="run one schedule and tell all that happens")
    add("--mutate", choices=sorted(MUTATIONS), help="take this safeguard out of the worker")
    add("--mutations", action="store_true", help="take each out by turns; all must be caught")
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
    report = one(options.mutate, options.replay, tell=True)
    print("\n".join(report.told))
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
