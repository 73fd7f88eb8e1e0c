"""Runs every command of the plugin at a fixed time: `python -m tests.plugin.terminal_session`.

The argument is a file that is written at the end. KUBECTL names the kubectl that answers.
"""

import sys
from pathlib import Path

from plugin.__main__ import main
from summaryrule.api.instant import Instant
from tests.plugin.rules import NOW, QuickConsole

COMMANDS = (
    "status",
    "status -A -o wide",
    "status no-such-rule",
    "explain cpu",
    "windows cpu",
    "windows cpu --state failed",
    "events cpu",
    "history cpu",
    "plan cpu",
    "query cpu --kql",
    "backfill memory --last 2d --max-in-flight 4 --dry-run=server",
    "backfill cpu --last 2d",
    "pause cpu memory",
    "resume cpu --schedule",
    "cancel --all --yes",
    "retry cpu --all",
    "skip cpu --window 2026-11-03T04:00:00Z",
    "wait disk",
    "ui",
    "lint rule.yaml",
    "check",
    "version",
    "statsu",
    "pause",
)


class FixedConsole(QuickConsole):
    """A console whose clock stands still."""

    def now(self) -> Instant:
        return NOW


def run() -> None:
    console = FixedConsole(sys.stdout, sys.stderr)
    for command in COMMANDS:
        console.say([f"$ kubectl summaryrule {command}"])
        try:
            code = main(command.split(), console)
        except SystemExit as stopped:
            code = int(stopped.code or 0)
        console.say([f"[exit code {code}]", ""])


if __name__ == "__main__":
    sys.stderr = sys.stderr if sys.stderr.isatty() else sys.stdout
    run()
    Path(sys.argv[1]).touch()
