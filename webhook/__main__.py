"""``python -m webhook``: the commands, and the wiring of the room's parts.

Exit codes: 0 fine, 1 the answer is no, 2 bad usage or input.
"""

import json
import signal
import sys
from argparse import Namespace
from collections.abc import Sequence
from typing import TYPE_CHECKING

from webhook.arguments import parser
from webhook.errors import WebhookError

if TYPE_CHECKING:
    from webhook.offline import Verdict


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    options = parser().parse_args(arguments)
    try:
        return _serve(options) if options.command == "serve" else _review(options)
    except WebhookError as error:
        print(f"webhook {options.command}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


# Each command imports its own, so that neither waits for the other's libraries.


def _review(options: Namespace) -> int:
    from webhook import clock, expression, manifest  # noqa: PLC0415
    from webhook.admission import Policy  # noqa: PLC0415
    from webhook.offline import judge, stored_for  # noqa: PLC0415

    policy = Policy(options.worker_user, expression.problem)
    now = options.now or clock.now()
    olds = manifest.read(options.old) if options.old else []
    rules = [rule for path in options.files for rule in manifest.read(path)]
    verdicts = [
        judge(stored_for(rule, olds), rule, user=options.user, policy=policy, now=now)
        for rule in rules
    ]
    _print(verdicts, options.output)
    return 0 if all(verdict.allowed for verdict in verdicts) else 1


def _print(verdicts: Sequence["Verdict"], output: str) -> None:
    if output == "json":
        print(json.dumps([verdict.as_json() for verdict in verdicts], indent=2))
    else:
        print(*verdicts, sep="\n")


def _serve(options: Namespace) -> int:
    from webhook.app import serve  # noqa: PLC0415

    return serve(options)


if __name__ == "__main__":
    sys.exit(main())
