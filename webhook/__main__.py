"""``python -m webhook``. Exit codes: 0 success, 1 an object is refused, 2 bad usage or input."""

import signal
import sys
from collections.abc import Sequence

from runtime.errors import OperatorError
from webhook.cli import parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    options = parser().parse_args(arguments)
    try:
        # Each command imports its own libraries, so that neither waits for the other's.
        if options.command == "serve":
            from webhook.run import serve  # noqa: PLC0415

            return serve(options)
        from webhook.review_command import run  # noqa: PLC0415

        return run(options)
    except (OperatorError, ValueError) as error:
        print(f"webhook {options.command}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


if __name__ == "__main__":
    sys.exit(main())
