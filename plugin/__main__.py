"""`python -m plugin`, installed as `kubectl-summaryrule`: finds the command and runs it."""

import importlib
import os
import signal
import sys
from argparse import Namespace
from collections.abc import Sequence
from typing import Any, Final

from plugin.cli import MODULES, ONCE, PROGRAM, kubectl_flags, parse, parser
from plugin.console import Console, standard
from plugin.formatting import plural
from plugin.kubectl import Kubectl, PluginError, RefusedError, UsageError
from summaryrule.api.unstructured import as_str, nested_dict

MAX_NAMED: Final = 5
"""Rules that the question of --all names."""


def main(arguments: Sequence[str] | None = None, console: Console | None = None) -> int:
    """Run one command; the exit code: 0 success, 1 refused or failed, 2 bad usage."""
    args = parse(arguments)
    if args.command is None:
        parser().print_help()
        return 0
    kubectl = Kubectl(os.environ.get("KUBECTL", "kubectl"), kubectl_flags(args))
    try:
        return _run(kubectl, args, console or standard())
    except BrokenPipeError:  # the reader, such as `head`, has closed the pipe
        sys.stdout = None  # else the exit would flush it
        return 0
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


def _run(kubectl: Kubectl, args: Namespace, console: Console) -> int:
    name = args.command
    module = importlib.import_module(f"plugin.commands.{MODULES.get(name, name)}")
    command = getattr(module, name)
    try:
        if name in ONCE:
            return int(command(kubectl, args, console))
        names = args.names or _selected_names(kubectl, args)
        if getattr(args, "every", False):
            _require_consent(names, args, console)
    except PluginError as error:
        return _report(error, args, console)
    return max(_run_for(rule, command, kubectl, args, console) for rule in names)


def _run_for(name: str, command: Any, kubectl: Kubectl, args: Namespace, console: Console) -> int:  # noqa: ANN401 - found by its name
    try:
        return int(command(kubectl, Namespace(**{**vars(args), "name": name}), console))
    except PluginError as error:
        return _report(error, args, console)


def _selected_names(kubectl: Kubectl, args: Namespace) -> list[str]:
    """The names of the rules with the labels, or of all rules that the command can change."""
    rules = kubectl.rules(selector=args.selector)
    every = getattr(args, "every", False)
    if every and not getattr(args, "schedule", True):  # pause, resume and cancel
        rules = [rule for rule in rules if nested_dict(nested_dict(rule, "spec"), "backfill")]
    found = [as_str(nested_dict(rule, "metadata").get("name")) for rule in rules]
    if not found:
        which = f"the labels {args.selector}" if args.selector else "a backfill"
        raise RefusedError(f"no SummaryRule in this namespace has {which}")
    return found


def _require_consent(names: list[str], args: Namespace, console: Console) -> None:
    """Ask once before all rules are changed.

    Raises:
        RefusedError: the user does not agree.
        UsageError: nobody can be asked, and there is no --yes.
    """
    if args.yes or args.dry_run:
        return
    shown = ", ".join(names[:MAX_NAMED]) + (", …" if len(names) > MAX_NAMED else "")
    answer = console.confirm(f"{args.command}: {plural(len(names), 'rule')} ({shown}); continue?")
    if answer is None:
        raise UsageError(f"--all would change {plural(len(names), 'rule')}; add --yes to do it")
    if not answer:
        raise RefusedError("nothing was changed")


def _report(error: PluginError, args: Namespace, console: Console) -> int:
    if str(error):
        console.note(f"{PROGRAM} {args.command}: {error}")
    return error.code


if __name__ == "__main__":
    sys.exit(main())
