"""The command line of ``python -m webhook``."""

import argparse
from datetime import timedelta
from typing import Any, Final

from runtime.options import add_ownership_options, read_instant
from summaryrule.api.duration import Duration
from webhook.certificates.lifetimes import LIFETIME_OPTIONS

_DEFAULT: Final = " (default: %(default)s)"
_LEVELS: Final = ("debug", "info", "warning", "error")
_OBJECTS: Final = (
    ("--namespace", "summaryrule-system", "namespace of the Secret and the Service"),
    ("--secret", "summaryrule-operator-webhook-ca", "Secret that holds the CA"),
    ("--service", "summaryrule-operator-webhook", "Service that the API server calls"),
    ("--configuration", "summaryrule-operator", "name of both webhook configurations"),
)
WORKER: Final = "system:serviceaccount:summaryrule-system:summaryrule-operator-worker"
_SERVE: Final = """\
example, as the chart runs it:
  python -m webhook serve --host 0.0.0.0 --port 9443 --certificates self \\
    --namespace summaryrule-system --secret summaryrule-operator-webhook-ca \\
    --service summaryrule-operator-webhook --configuration summaryrule-operator

In a pod, the webhook connects to the API server with the ServiceAccount of the pod. Elsewhere, it
uses KUBECONFIG. After SIGTERM, it drains.
"""
_REVIEW: Final = """\
examples:
  python -m webhook review rule.yaml
  python -m webhook review rule.yaml --old stored.yaml --user alice --now 2026-01-31T13:00:00Z
  kubectl get summaryrule cpu -o yaml | python -m webhook review - -o json

Exit code 0: every object would be admitted; 1: at least one would be refused; 2: a file cannot be
checked.
"""


def parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    top = argparse.ArgumentParser(
        prog="python -m webhook",
        description="The webhook of SummaryRules: serve it, or check files without a cluster.",
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="{serve,review}")
    _serve(_command(commands, "serve", "run the admission webhook", _SERVE))
    _review(_command(commands, "review", "check manifests without a cluster", _REVIEW))
    return top


def _command(commands: Any, name: str, text: str, epilog: str) -> argparse.ArgumentParser:  # noqa: ANN401 - argparse's private class
    command: argparse.ArgumentParser = commands.add_parser(
        name,
        help=text,
        description=f"{text.capitalize()}.",
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    return command


def _review(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add("files", nargs="+", metavar="FILE", help="YAML or JSON; - reads standard input")
    add("--old", metavar="FILE", help="the stored object: check an update of it, not a create")
    add(
        "--user",
        default="kubernetes-admin",
        metavar="NAME",
        help=f"user who makes the request{_DEFAULT}",
    )
    add(
        "--now",
        type=read_instant,
        metavar="T",
        help="check as at this time, RFC 3339 (default: now)",
    )
    add("-o", "--output", choices=("text", "json"), default="text", help=f"output format{_DEFAULT}")
    add_ownership_options(command)
    add("--worker-user", default=WORKER, metavar="U", help=f"the worker's user name{_DEFAULT}")


def _serve(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add("--host", default="127.0.0.1", help=f"address to listen on{_DEFAULT}")
    add("--port", type=int, default=9443, help=f"port to listen on{_DEFAULT}")
    add(
        "--drain",
        type=_period,
        default="5s",
        metavar="D",
        help=f"time to answer requests after SIGTERM{_DEFAULT}",
    )
    add("--log-level", choices=_LEVELS, default="info", help=f"lowest level to log{_DEFAULT}")
    add_ownership_options(command)
    add("--worker-user", default=WORKER, metavar="U", help=f"the worker's user name{_DEFAULT}")
    _certificates(command.add_argument_group("certificates"))
    _lifetimes(command.add_argument_group("lifetimes (mode self)"))
    _callers(command.add_argument_group("mutual TLS (optional)"))


def _certificates(group: argparse._ArgumentGroup) -> None:
    modes = "self: the webhook makes its certificate, with a CA in a Secret; files: it is mounted"
    add = group.add_argument
    add("--certificates", choices=("self", "files"), default="self", help=f"{modes}{_DEFAULT}")
    add(
        "--cert-dir",
        metavar="DIR",
        help="for files: folder with tls.crt, tls.key, and ca.crt for the caBundle (optional)",
    )
    for flag, default, text in _OBJECTS:
        add(flag, default=default, metavar="NAME", help=f"{text}{_DEFAULT}")


def _lifetimes(group: argparse._ArgumentGroup) -> None:
    for flag, default, text in LIFETIME_OPTIONS:
        group.add_argument(
            flag, type=_period, default=default, metavar="D", help=f"{text}{_DEFAULT}"
        )


def _callers(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--client-ca", metavar="FILE", help="accept only callers with a certificate of this CA")
    add(
        "--client-name",
        action="append",
        default=[],
        metavar="CN",
        help="name that the caller's certificate must have; repeat for each",
    )


def _period(text: str) -> timedelta:
    try:
        return timedelta(microseconds=Duration.parse(text).ticks // 10)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} {error}") from error
