"""``python -m worker``: the worker's command line."""

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Final

from runtime.errors import OperatorError
from worker.cli import parser

_FAILED, _USAGE = 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return the exit code: 0 success, 1 failure, 2 bad usage or input."""
    options = parser().parse_args(arguments)
    try:
        return COMMANDS[options.command](options)
    except ValueError as error:
        print(f"worker {options.command}: {error}", file=sys.stderr)
        return _USAGE
    except (OperatorError, OSError) as error:
        print(f"worker {options.command}: {error}", file=sys.stderr)
        return _FAILED


def _run(options: argparse.Namespace) -> int:
    # Imported here: `worker plan` needs none of the clients, which cost a second to load.
    import uvloop  # noqa: PLC0415

    from runtime.logging import configure  # noqa: PLC0415
    from worker.app import run  # noqa: PLC0415

    configure(options.log_format, options.log_level)
    uvloop.run(run(options, os.environ))
    return 0


def _plan(options: argparse.Namespace) -> int:
    from worker import plan_command  # noqa: PLC0415 - as above

    return plan_command.run(options)


def _verify(options: argparse.Namespace) -> int:
    from worker import verify_command  # noqa: PLC0415 - as above

    if not options.rules and not options.file:
        raise ValueError("name a rule, or give a file with -f")
    return verify_command.run(options)


COMMANDS: Final = {"run": _run, "plan": _plan, "verify": _verify}


if __name__ == "__main__":
    sys.exit(main())
