"""The command line of `kubectl summaryrule`."""

import argparse
import difflib
import re
from collections.abc import Callable, Sequence
from typing import Any, Final, NoReturn

from plugin.formatting import parse_duration, parse_time

PROGRAM: Final = "kubectl summaryrule"
EPILOG: Final = """\
examples:
  kubectl summaryrule status -A                          every rule: lag, backfill, problems
  kubectl summaryrule backfill cpu --last 7d --wait      compute the last week once, and wait
  kubectl summaryrule backfill cpu --start 2026-11-01 --end 2026-11-08T12:00:00Z
  kubectl summaryrule explain cpu                        why it does not run, and what to do
  kubectl summaryrule retry cpu --all                    run all failed windows again
  kubectl summaryrule pause -l team=a                    every rule with this label

`kubectl summaryrule COMMAND --help` shows the options of a command. Exit codes: 0 success,
1 refused, failed or timed out, 2 wrong usage.
"""
KUBECTL_FLAGS: Final = (
    "context", "kubeconfig", "cluster", "user", "as", "as-group", "server", "token",
    "request-timeout",
)  # fmt: skip
TYPES: Final = ("summaryrule", "summaryrules", "sr")
NAMES_OPTIONAL: Final = frozenset({"status", "ui"})
_MAX_IN_FLIGHT: Final = 20
_MAX_PORT: Final = 65_535
_ROWS: Final = 50
_MAX_ROWS: Final = 100_000
_UNKNOWN_COMMAND: Final = re.compile(r"argument COMMAND: invalid choice: '(.*?)'")
_SUPPRESS: Final = argparse.SUPPRESS


class Parser(argparse.ArgumentParser):
    """Prints an error in one line, and keeps the options that completion offers."""

    def __init__(self, **settings: Any) -> None:  # noqa: ANN401 - argparse's
        super().__init__(**{**settings, "formatter_class": argparse.RawDescriptionHelpFormatter})
        self.options: list[argparse.Action] = []
        self.commands: dict[str, Parser] = {}
        self.accepts_names = self.accepts_files = False

    def option(self, *flags: str, group: Any = None, **settings: Any) -> None:  # noqa: ANN401 - argparse's groups have no public type
        """Add an option, to a group of this parser if one is given."""
        self.options.append((group or self).add_argument(*flags, **settings))

    def error(self, message: str) -> NoReturn:
        """Print what is wrong and where help is; exit with code 2."""
        unknown = _UNKNOWN_COMMAND.search(message)
        if unknown is not None:
            message = f"unknown command {unknown[1]!r}{did_you_mean(unknown[1], COMMANDS)}"
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")


def did_you_mean(given: str, known: Sequence[str] | dict[str, Any]) -> str:
    """A question with the closest known word, empty if none is close."""
    close = difflib.get_close_matches(given, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The parsed arguments; exits with code 2 if they are wrong."""
    top = parser()
    args, rest = top.parse_known_args(arguments)
    command = top.commands.get(args.command or "", top)
    # NB: argparse (3.13) takes names from one place only: in `status a -o wide b`, b is left.
    if rest and not any(word.startswith("-") for word in rest) and hasattr(args, "files"):
        args.files += rest
    elif rest and not any(word.startswith("-") for word in rest) and hasattr(args, "names"):
        args.names += [_rule_name(word) for word in rest]
    elif rest:
        known = [flag for option in command.options for flag in option.option_strings]
        wrong = rest[0].partition("=")[0]
        command.error(f"unknown argument {wrong!r}{did_you_mean(wrong, known)}")
    if hasattr(args, "names") and args.command not in NAMES_OPTIONAL:
        _check_targets(args, command)
    return args


def _check_targets(args: argparse.Namespace, command: Parser) -> None:
    given = [bool(args.names), bool(args.selector), getattr(args, "every", False)]
    choices = "name a rule, or select rules with -l" + (
        " or --all" if hasattr(args, "every") else ""
    )
    if not any(given):
        command.error(choices)
    if given.count(True) > 1:
        command.error("give only one of: names, -l, --all")


def parser() -> Parser:
    """The parser of all commands."""
    top = Parser(
        prog=PROGRAM,
        description="Show SummaryRules, request backfills and control them.",
        epilog=EPILOG,
    )
    _kubectl_options(top, None)
    commands = top.add_subparsers(dest="command", metavar="COMMAND")
    for name, (text, example, fill) in COMMANDS.items():
        command = commands.add_parser(
            name,
            help=text,
            description=f"{text[0].upper()}{text[1:]}.",
            epilog=f"example:\n  {PROGRAM} {example}\n",
        )
        fill(command)
        # The value before the command stays, unless the flag is repeated after it.
        _kubectl_options(command, _SUPPRESS)
        top.commands[name] = command
    return top


def _kubectl_options(command: Parser, default: Any) -> None:  # noqa: ANN401 - argparse's
    taken = {flag for option in command.options for flag in option.option_strings}
    hidden = ", ".join(f"--{flag}" for flag in KUBECTL_FLAGS[1:])
    group = command.add_argument_group(
        "options of kubectl, before or after the command", f"also {hidden}"
    )
    text = "namespace (default: that of the context)"
    command.option(
        "-n", "--namespace", group=group, metavar="NAMESPACE", default=default, help=text
    )
    for flag in KUBECTL_FLAGS:
        if f"--{flag}" in taken:
            continue
        text = "context of the kubeconfig" if flag == "context" else _SUPPRESS
        command.option(f"--{flag}", group=group, metavar="VALUE", default=default, help=text)


def kubectl_flags(args: argparse.Namespace) -> list[str]:
    """The flags that are passed to kubectl."""
    names = ("namespace", *KUBECTL_FLAGS)
    given = ((name, getattr(args, name.replace("-", "_"))) for name in names)
    return [f"--{name}={value}" for name, value in given if value is not None]


def _status(command: Parser) -> None:
    _targets(command, "rules to show (default: all)")
    text = "rules of all namespaces"
    command.option("-A", "--all-namespaces", action="store_true", help=text)
    text = "repeat every 2 seconds until Ctrl-C"
    command.option("-w", "--watch", action="store_true", help=text)
    _output(command, "json", "yaml", "wide", "name")


def _backfill(command: Parser) -> None:
    _targets(command)
    _all_rules(command)
    range_start = command.add_mutually_exclusive_group(required=True)
    text = "inclusive start: an RFC 3339 time, or a date, which means midnight in UTC"
    command.option("--start", group=range_start, type=_time, metavar="TIME", help=text)
    text = "start this long ago: 7d, 36h, 90m"
    command.option("--last", group=range_start, type=_duration, metavar="DURATION", help=text)
    text = "exclusive end (default: the end of the last complete window)"
    command.option("--end", type=_time, metavar="TIME", help=text)
    text = f"windows in flight at once, 1 to {_MAX_IN_FLIGHT} (default: 1)"
    command.option("--max-in-flight", type=_in_flight, metavar="N", help=text)
    text = "name of the request; with a new name, a range that has run runs again"
    command.option("--request-id", metavar="ID", help=text)
    text = "end the running backfill and start this one"
    command.option("--replace", action="store_true", help=text)
    command.option("--wait", action="store_true", help="wait until it has ended")
    _timeout(command)
    _result_options(command)


def _pause_or_resume(command: Parser) -> None:
    _targets(command)
    _all_rules(command)
    text = "act on the schedule, not on the backfill"
    command.option("--schedule", action="store_true", help=text)
    _result_options(command)


def _cancel(command: Parser) -> None:
    _targets(command)
    _all_rules(command)
    command.set_defaults(schedule=False)
    _result_options(command)


def _retry(command: Parser) -> None:
    _targets(command)
    which = command.add_mutually_exclusive_group(required=True)
    command.option("--all", group=which, action="store_true", help="every window that failed")
    _window(command, group=which)
    _result_options(command)


def _skip(command: Parser) -> None:
    _targets(command)
    _window(command, required=True)
    _result_options(command)


def _plan(command: Parser) -> None:
    _targets(command)
    text = "plan for this time (default: now)"
    command.option("--now", type=_time, metavar="TIME", help=text)
    _output(command, "json", "yaml", "wide")


def _wait(command: Parser) -> None:
    _targets(command)
    text = "what to wait for: backfill (default)"
    command.option("--for", dest="what", choices=("backfill",), default="backfill", help=text)
    _timeout(command)


def _windows(command: Parser) -> None:
    _targets(command)
    text = f"only windows in this state: {', '.join(STATES)}"
    command.option("--state", choices=STATES, metavar="STATE", help=text)
    _output(command, "json", "yaml", "wide")


def _query(command: Parser) -> None:
    _targets(command)
    text = "the window that contains this time (default: the last complete window)"
    command.option("--window", type=_time, metavar="TIME", help=text)
    text = "print the query and run nothing"
    command.option("--kql", action="store_true", help=text)
    text = "Kusto endpoint (default: $KUSTO_ENDPOINT); with https, the login of az is used"
    command.option("--endpoint", metavar="URL", help=text)
    text = f"rows to print (default: {_ROWS})"
    command.option("--limit", type=_row_limit, default=_ROWS, metavar="N", help=text)
    text = "a cluster label of the worker, which the body reads as _KEY; repeat it for more"
    command.option("--cluster-label", type=_label, action="append", metavar="KEY=VALUE", help=text)
    _output(command, "json", "yaml", "wide")


def _explain(command: Parser) -> None:
    _targets(command)
    _output(command, "json", "yaml")


def _listed(command: Parser) -> None:
    _targets(command)
    _output(command, "json", "yaml", "wide")


def _lint(command: Parser) -> None:
    command.accepts_files = True
    text = "YAML or JSON with SummaryRules; - reads standard input"
    command.add_argument("files", nargs="+", metavar="FILE", help=text)
    text = (
        "ask the API server too, which stores nothing (kubectl apply --dry-run=server); --context"
        " chooses it"
    )
    command.option("--cluster", dest="ask_server", action="store_true", help=text)
    _output(command, "json", "yaml")


def _ui(command: Parser) -> None:
    command.accepts_names = True
    text = "the rule whose page to open (default: the page of all rules)"
    command.add_argument("names", nargs="*", type=_rule_name, metavar="NAME", help=text)
    text = "local port (default: a free one)"
    command.option("--port", type=_port, default=0, metavar="PORT", help=text)
    text = "print the URL and open no browser"
    command.option("--no-browser", action="store_true", help=text)


def _check(command: Parser) -> None:
    _output(command, "json", "yaml")


def _version(command: Parser) -> None:
    _output(command, "json", "yaml", "wide")


def _targets(command: Parser, text: str = "names of rules; TYPE/NAME works too") -> None:
    command.accepts_names = True
    command.add_argument("names", nargs="*", type=_rule_name, metavar="NAME", help=text)
    text = "rules with these labels, instead of names: team=a"
    command.option("-l", "--selector", metavar="LABELS", help=text)


def _all_rules(command: Parser) -> None:
    text = "all rules of the namespace that it can change; asks first"
    command.option("--all", dest="every", action="store_true", help=text)
    command.option("--yes", action="store_true", help="do not ask before --all")


def _output(command: Parser, *forms: str) -> None:
    text = f"{', '.join(forms)} (default: text)"
    command.option("-o", "--output", choices=forms, metavar="FORMAT", help=text)


def _result_options(command: Parser) -> None:
    _output(command, "json", "yaml", "name")
    text = "server: ask admission and store nothing; client: print the patch"
    command.option("--dry-run", choices=("server", "client"), metavar="WHERE", help=text)


def _window(command: Parser, *, group: Any = None, required: bool = False) -> None:  # noqa: ANN401 - as above
    text = "start of a window; repeat it for more windows"
    settings: dict[str, Any] = {"required": True} if required else {}
    command.option(
        "--window", group=group, type=_time, action="append", metavar="TIME", help=text, **settings
    )


def _timeout(command: Parser) -> None:
    text = "how long to wait: 10m, 2h (default: 1h)"
    command.option("--timeout", type=_duration, default="1h", metavar="DURATION", help=text)


def _rule_name(text: str) -> str:
    kind, slash, name = text.rpartition("/")
    if slash and (kind.partition(".")[0].lower() not in TYPES or not name):
        raise argparse.ArgumentTypeError(f"{text!r} does not name a SummaryRule; write sr/NAME")
    return name


def _time(text: str) -> Any:  # noqa: ANN401 - an Instant; argparse takes any
    try:
        return parse_time(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _duration(text: str) -> int:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _number(low: int, high: int, noun: str = "number") -> Callable[[str], int]:
    """The type of an option that takes a number of this range."""

    def read(text: str) -> int:
        if not text.isdecimal() or not low <= int(text) <= high:
            raise argparse.ArgumentTypeError(f"{text!r} is not a {noun} from {low} to {high}")
        return int(text)

    return read


_in_flight, _row_limit = _number(1, _MAX_IN_FLIGHT), _number(1, _MAX_ROWS)
_port = _number(0, _MAX_PORT, "port")


def _label(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not a label; write KEY=VALUE")
    return key, value


STATES: Final = ("failed", "running", "unknown", "pending", "done")
COMMANDS: Final[dict[str, tuple[str, str, Callable[[Parser], None]]]] = {
    "status": ("show the state of rules: lag, backfill, problems", "status -A", _status),
    "backfill": ("compute a past range once", "backfill cpu --last 7d --wait", _backfill),
    "wait": ("wait until a backfill has ended", "wait cpu --timeout 30m", _wait),
    "pause": ("finish windows in flight and submit no more", "pause cpu", _pause_or_resume),
    "resume": ("continue what was paused", "resume cpu", _pause_or_resume),
    "cancel": ("end a backfill; windows that are done stay done", "cancel cpu", _cancel),
    "retry": ("run failed windows again", "retry cpu --window 2026-11-03T04:00:00Z", _retry),
    "skip": ("leave windows out permanently", "skip cpu --window 2026-11-03T04:00:00Z", _skip),
    "explain": ("say why a rule does not run, and what to do", "explain cpu", _explain),
    "plan": ("show what the worker would submit now", "plan cpu -o wide", _plan),
    "windows": ("list windows with their state and error", "windows cpu --state failed", _windows),
    "events": ("list the Events of rules, oldest first", "events cpu", _listed),
    "history": ("list backfills that have ended, newest first", "history cpu", _listed),
    "query": ("run the body for the last window and print the rows", "query cpu --kql", _query),
    "ui": ("open the status page of the leader in a browser", "ui cpu", _ui),
    "lint": ("check files as admission does, without a cluster", "lint rules/*.yaml", _lint),
    "check": ("check the installation, and say how to fix problems", "check", _check),
    "version": ("print the versions of plugin, worker, webhook and CRD", "version", _version),
}
# A command is imported when it is called: the planner alone takes half a second.
MODULES: Final = {
    **dict.fromkeys(("pause", "resume", "cancel", "retry", "skip"), "lifecycle"),
    "history": "backfill",
    "version": "check",
}
"""The module of ``plugin.commands`` of each command that is not in the module of its own name."""
ONCE: Final = frozenset({"status", "lint", "ui", "check", "version"})
"""Commands that run once for all rules; the others run once per rule."""
