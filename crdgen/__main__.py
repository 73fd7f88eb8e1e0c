"""`crdgen` or `python -m crdgen`: generate, check, diff and validate CustomResourceDefinitions.

Exit codes: 0 success, 1 the answer is no, 2 wrong usage or input.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from crdgen.commands import check, diff, generate, reference, validate
from crdgen.errors import CrdgenError

_ABOUT = """\
Generates CustomResourceDefinitions from Pydantic models, and checks them without a cluster.
"""
_EXAMPLE = """\
examples:
  crdgen generate myapp.v1:Widget -o widgets.yaml   models → definition
  crdgen check widgets.yaml                         does the API server accept it?
  crdgen diff released.yaml widgets.yaml            whom does this change break?
  crdgen validate widgets.yaml my-widget.yaml       is this object admitted?

Exit codes: 0 success, 1 the answer is no, 2 wrong usage or input
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    parsed = _parser().parse_args(arguments)
    try:
        code: int = parsed.run(parsed)
    except CrdgenError as error:
        for line in str(error).splitlines():
            print(f"crdgen: {line}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m crdgen" if Path(sys.argv[0]).stem == "__main__" else "crdgen",
        description=_ABOUT,
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in (generate, check, diff, validate, reference):
        added = commands.add_parser(
            command.__name__.rpartition(".")[2],
            help=command.HELP,
            epilog=command.EXAMPLE,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.add_arguments(added)
        added.set_defaults(run=command.run)
    return parser


class _Version(argparse.Action):
    """Prints the installed version; reads it only when it is asked for."""

    def __call__(self, *_: object) -> None:
        from importlib.metadata import version  # noqa: PLC0415 - a tenth of the start-up time

        print(f"crdgen {version('crdgen')}")
        raise SystemExit(0)


if __name__ == "__main__":
    sys.exit(main())
