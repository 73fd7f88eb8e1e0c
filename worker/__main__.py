"""``python -m worker``: the worker's command line (design, section 12)."""

import argparse
import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

from summaryrule.api.instant import Instant
from summaryrule.planner.types import PlannerSettings
from worker.cli import labels, parser
from worker.clock import SystemClock
from worker.errors import WorkerError
from worker.ports import RawRule

_FAILED, _USAGE = 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; the exit code: 0 fine, 1 it could not work, 2 bad usage or input."""
    options = parser().parse_args(arguments)
    try:
        return _run(options) if options.command == "run" else _plan(options)
    except ValueError as error:
        print(f"worker {options.command}: {error}", file=sys.stderr)
        return _USAGE
    except WorkerError as error:
        print(f"worker {options.command}: {error}", file=sys.stderr)
        return _FAILED
    except OSError as error:
        print(f"worker {options.command}: {error}", file=sys.stderr)
        return _FAILED


def _run(options: argparse.Namespace) -> int:
    # Imported here: `worker plan` needs none of the clients, which cost a second to load.
    import uvloop  # noqa: PLC0415

    from worker.app import run  # noqa: PLC0415
    from worker.logs import configure  # noqa: PLC0415

    configure(options.log_format, options.log_level)
    uvloop.run(run(options, os.environ))
    return 0


def _plan(options: argparse.Namespace) -> int:
    from worker.kusto.config import parse_endpoints  # noqa: PLC0415 - as above
    from worker.preview import preview  # noqa: PLC0415 - as above

    now = options.now or Instant(SystemClock().now())
    endpoints = parse_endpoints(options.kusto_endpoint, allow_plain_http=True)
    settings = PlannerSettings(
        endpoints=endpoints,
        labels=labels(options.cluster_label, "--cluster-label"),
        adopt_unowned=options.adopt_unowned,
        mode=options.mode,
    )
    for line in preview(_rules(options), now=now, settings=settings, output=options.output):
        print(line)
    return 0


def _rules(options: argparse.Namespace) -> list[Mapping[str, Any]]:
    """Those in files, and those that the cluster has, in the order they were named."""
    from worker.preview import in_file, is_file  # noqa: PLC0415 - as above

    names = [word for word in options.rules if not is_file(word)]
    found: dict[str, RawRule] = {}
    if names:
        from worker.lookup import in_cluster  # noqa: PLC0415 - as above

        found = asyncio.run(in_cluster(names, options.namespace, os.environ))
    each = (in_file(word) if is_file(word) else [found[word]] for word in options.rules)
    return list(chain.from_iterable(each))


if __name__ == "__main__":
    sys.exit(main())
