"""The command line: what `kubectl summaryrule --help` teaches."""

import argparse
from collections.abc import Callable
from typing import Any, Final, NoReturn

from plugin.formatting import parse_duration, parse_time

PROGRAM: Final = "kubectl summaryrule"

EXAMPLES: Final = """\
examples:
  kubectl summaryrule status -A                          every rule: lag, backfill, problems
  kubectl summaryrule backfill cpu --last 7d --wait      compute the last week once, and follow it
  kubectl summaryrule backfill cpu --start 2026-11-01 --end 2026-11-08T12:00:00Z
  kubectl summaryrule explain cpu                        why it stands still, and what to do
  kubectl summaryrule retry cpu --all                    failed windows again

`kubectl summaryrule COMMAND --help` has more. Exit codes: 0 fine, 1 the answer is no (refused,
failed, timed out), 2 bad usage.
"""

_MOST_IN_FLIGHT: Final = 20

Add = Callable[..., Any]


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line and where help is."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")


def parser() -> argparse.ArgumentParser:
    """Every command and its flags."""
    top = _Parser(
        prog=PROGRAM,
        description="See SummaryRules at a glance, ask for backfills, act on them.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (text, example, fill) in COMMANDS.items():
        command = commands.add_parser(
            name,
            help=text,
            description=f"{text[0].upper()}{text[1:]}.",
            epilog=f"example:\n  {PROGRAM} {example}\n",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        fill(command)
        _cluster(command)
    return top


def _cluster(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group("which cluster, as kubectl has them")
    group.add_argument("-n", "--namespace", metavar="NS", help="namespace (default: the context's)")
    for flag in ("context", "kubeconfig", "cluster", "user", "as", "request-timeout"):
        group.add_argument(f"--{flag}", metavar="VALUE", help="handed to kubectl")


def kubectl_flags(args: argparse.Namespace) -> list[str]:
    """The flags that go to kubectl as they are."""
    names = ("namespace", "context", "kubeconfig", "cluster", "user", "as", "request_timeout")
    given = ((name.replace("_", "-"), getattr(args, name)) for name in names)
    return [f"--{name}={value}" for name, value in given if value is not None]


def _status(command: argparse.ArgumentParser) -> None:
    command.add_argument("name", nargs="?", metavar="NAME", help="one rule (default: all)")
    text = "rules of every namespace"
    command.add_argument("-A", "--all-namespaces", action="store_true", help=text)
    _output(command, "json", "yaml", "wide", "name")


def _backfill(command: argparse.ArgumentParser) -> None:
    _name(command)
    when = command.add_mutually_exclusive_group(required=True)
    text = "inclusive start: RFC 3339, or a day alone for its midnight in UTC"
    when.add_argument("--start", type=_time, metavar="T", help=text)
    text = "start this long ago: 7d, 36h, 90m"
    when.add_argument("--last", type=_length, metavar="DURATION", help=text)
    text = "exclusive end (default: where the rule's schedule began, or the last complete window's)"
    command.add_argument("--end", type=_time, metavar="T", help=text)
    text = f"windows in flight at once, 1 to {_MOST_IN_FLIGHT} (default: 1, one after the other)"
    command.add_argument("--max-in-flight", type=_in_flight, metavar="N", help=text)
    text = "names the request; a new one runs a range again that has run"
    command.add_argument("--request-id", metavar="X", help=text)
    text = "end a backfill that is under way in favour of this one"
    command.add_argument("--replace", action="store_true", help=text)
    command.add_argument("--wait", action="store_true", help="wait until it has ended")
    _timeout(command)
    _output(command, "json", "yaml", "name")
    _dry_run(command)


def _switch(command: argparse.ArgumentParser) -> None:
    _name(command)
    text = "interval runs, not the backfill"
    command.add_argument("--schedule", action="store_true", help=text)
    _output(command, "name")
    _dry_run(command)


def _cancel(command: argparse.ArgumentParser) -> None:
    _name(command)
    _output(command, "name")
    _dry_run(command)


def _retry(command: argparse.ArgumentParser) -> None:
    _name(command)
    which = command.add_mutually_exclusive_group(required=True)
    which.add_argument("--all", action="store_true", help="every window that failed")
    _window(which, required=False)
    _output(command, "name")
    _dry_run(command)


def _skip(command: argparse.ArgumentParser) -> None:
    _name(command)
    _window(command, required=True)
    _output(command, "name")
    _dry_run(command)


def _plan(command: argparse.ArgumentParser) -> None:
    _name(command)
    command.add_argument("--now", type=_time, metavar="T", help="at this time (default: the clock)")
    _output(command, "json", "yaml", "wide")


def _wait(command: argparse.ArgumentParser) -> None:
    _name(command)
    text = "what to wait for (default and only choice: backfill)"
    command.add_argument("--for", dest="what", choices=("backfill",), default="backfill", help=text)
    _timeout(command)


def _read_only(command: argparse.ArgumentParser) -> None:
    _name(command)
    _output(command, "json", "yaml")


def _name(command: argparse.ArgumentParser) -> None:
    command.add_argument("name", metavar="NAME", help="the rule")


def _output(command: argparse.ArgumentParser, *forms: str) -> None:
    text = f"{', '.join(forms)} (default: for people)"
    command.add_argument("-o", "--output", choices=forms, metavar="FORM", help=text)


def _dry_run(command: argparse.ArgumentParser) -> None:
    text = "server: ask admission, store nothing; client: print the patch"
    command.add_argument("--dry-run", choices=("server", "client"), metavar="WHERE", help=text)


def _window(command: Any, *, required: bool) -> None:  # noqa: ANN401 - argparse's groups have no public type
    text = "start of a window; repeat for each"
    command.add_argument(
        "--window", type=_time, action="append", metavar="START", required=required, help=text
    )


def _timeout(command: argparse.ArgumentParser) -> None:
    text = "how long to wait: 10m, 2h (default: 1h)"
    command.add_argument("--timeout", type=_length, default="1h", metavar="DURATION", help=text)


def _time(text: str) -> Any:  # noqa: ANN401 - an Instant; argparse takes any
    try:
        return parse_time(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _length(text: str) -> int:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _in_flight(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= _MOST_IN_FLIGHT:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to {_MOST_IN_FLIGHT}")
    return int(text)


Fill = Callable[[argparse.ArgumentParser], None]
COMMANDS: Final[dict[str, tuple[str, str, Fill]]] = {
    "status": ("where rules stand: lag, backfill, problems", "status -A", _status),
    "backfill": ("ask for a past range, once", "backfill cpu --last 7d --wait", _backfill),
    "wait": ("wait until a backfill has ended", "wait cpu --timeout 30m", _wait),
    "pause": ("let what is in flight end, submit nothing more", "pause cpu", _switch),
    "resume": ("go on where it stands", "resume cpu", _switch),
    "cancel": ("end a backfill; what is done stays done", "cancel cpu", _cancel),
    "retry": ("run failed windows again", "retry cpu --window 2026-11-03T04:00:00Z", _retry),
    "skip": ("leave windows out for good", "skip cpu --window 2026-11-03T04:00:00Z", _skip),
    "explain": ("why something is held, and what to do", "explain cpu", _read_only),
    "plan": ("what the worker would submit now", "plan cpu -o wide", _plan),
    "history": ("backfills that ended, newest first", "history cpu", _read_only),
}
