"""`python -m plugin`, installed as `kubectl-summaryrule`: finds the command and runs it."""

import importlib
import os
import signal
import sys
from collections.abc import Sequence
from typing import Final

from plugin.cli import PROGRAM, kubectl_flags, parser
from plugin.console import Console, standard
from plugin.kubectl import Kubectl, PluginError

# Each command is imported when it is called: the planner alone takes half a second.
MODULES: Final = {
    **dict.fromkeys(("pause", "resume", "cancel", "retry", "skip"), "plugin.commands.lifecycle"),
    **{name: f"plugin.commands.{name}" for name in ("status", "backfill", "wait", "explain")},
    "plan": "plugin.commands.plan",
    "history": "plugin.commands.backfill",
}


def main(arguments: Sequence[str] | None = None, console: Console | None = None) -> int:
    """Run one command; the exit code: 0 fine, 1 the answer is no, 2 bad usage."""
    args = parser().parse_args(arguments)
    kubectl = Kubectl(os.environ.get("KUBECTL", "kubectl"), kubectl_flags(args))
    run = getattr(importlib.import_module(MODULES[args.command]), args.command)
    try:
        code: int = run(kubectl, args, console or standard())
    except PluginError as error:
        if str(error):
            print(f"{PROGRAM} {args.command}: {error}", file=sys.stderr)
        return error.code
    except BrokenPipeError:  # `| head` has what it wanted
        sys.stdout = None  # else the exit would flush it
        return 0
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    return code


if __name__ == "__main__":
    sys.exit(main())
