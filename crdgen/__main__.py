"""`python -m crdgen`: generate, check, diff and validate CustomResourceDefinitions.

Exit codes: 0 fine, 1 the answer is no, 2 bad usage or input.
"""

import argparse
import sys
from collections.abc import Sequence

from crdgen.commands import check, diff, generate, reference, validate
from crdgen.errors import CrdgenError

_ABOUT = """\
CustomResourceDefinitions from Pydantic models, checked without a cluster.
"""
_EXAMPLE = """\
in five minutes:
  python -m crdgen generate myapp.v1:Widget -o widgets.yaml   models → definition
  python -m crdgen check widgets.yaml                         would the API server take it?
  python -m crdgen diff released.yaml widgets.yaml            whom would this change break?
  python -m crdgen validate widgets.yaml my-widget.yaml       is this object admitted?

exit codes: 0 fine, 1 the answer is no, 2 bad usage or input
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
        prog="python -m crdgen",
        description=_ABOUT,
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in (generate, check, diff, validate, reference):
        command.register(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
