"""The command line of ``worker run`` and ``worker plan``."""

import argparse
from collections.abc import Iterable
from typing import Final

from runtime.options import add_ownership_options, read_instant
from summaryrule.planner.preconditions import label_error

_DEFAULT: Final = " (default: %(default)s)"
_RUN_EXAMPLE: Final = """\
example:
  python -m worker run --kusto-endpoint Telemetry=https://help.kusto.windows.net \\
      --cluster-label region=eastus

In a pod, the worker connects to the API server with the ServiceAccount of the pod. Elsewhere, it
uses KUBECONFIG. Any number of replicas may run: the holder of the Lease is the leader, the others
wait. After SIGTERM, the worker releases the Lease.
"""
_PLAN_EXAMPLE: Final = """\
example:
  python -m worker plan rule.yaml --now 2026-01-31T13:00:00Z --cluster-label region=eastus
  python -m worker plan cpu-hourly -n telemetry

Prints what a run would submit at that time: every window that is due, and its exact KQL and token.
It estimates how long this takes from past operations, and says why a window is not sent.
A rule in a file needs no server. If the file has a status, as `kubectl get -o yaml` prints it, the
plan continues from this status. The name of a rule is looked up in the cluster of the pod's
ServiceAccount, or of KUBECONFIG.
Use the same options as for the worker. Without --kusto-endpoint, every database has an endpoint.
The plan lists the first 1,000 windows of each kind. Its tokens are the same as those of a run only
if the rule has its UID: give its name, or the output of `kubectl get -o yaml`.
Exit code 0: planned; 1: the cluster cannot be reached or refuses; 2: no such file or rule.
"""
_VERIFY_EXAMPLE: Final = """\
example:
  python -m worker verify cpu-hourly -n telemetry --from 2026-01-01T00:00:00Z \\
      --kusto-endpoint Telemetry=https://help.kusto.windows.net --kusto-credential az-login

Reads the tags of the table's extents from Kusto. The tags say which windows have rows. Compares
these windows with the status of the rule. This needs the role Database Viewer. If a window is done
and has no rows, its query runs to find out whether the window is empty, for at most 200 windows.
Without --kusto-endpoint, the variables KUSTO_DATABASE and KUSTO_ENDPOINT name the endpoint. If the
body reads cluster labels of the worker, give these labels too.
  once        the table has the rows of one run
  empty       done, and the query returns no rows
  missing     done, but the table has no rows
  twice       the table has the rows of several runs
  failed      the window failed; retry or skip it
  pending     running, or will run
  unlisted    the table has rows, but the status has no record of the run
  unknown     extents of this time have no tags, or the window had another grid
  not covered neither the schedule nor a backfill ran the window
After each wrong window, it prints the command that repairs the window. With writeMode: Replace,
--repair prints the backfill that repairs all wrong windows, and --repair --yes requests it.
Exit code 0: no window is missing, twice or failed; 1: at least one is, or Kusto or the cluster does
not answer; 2: wrong usage, or no such file or rule.
"""


def parser() -> argparse.ArgumentParser:
    """``worker run``, ``worker plan`` and ``worker verify``."""
    top = argparse.ArgumentParser(
        prog="python -m worker",
        description="Runs SummaryRules: the windows of the schedule, and backfills.",
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="run | plan | verify")
    for name, text, example, add_options in (
        ("run", "run rules until SIGTERM", _RUN_EXAMPLE, _add_run_options),
        ("plan", "print what a run would do", _PLAN_EXAMPLE, _add_plan_options),
        ("verify", "compare a rule's table with its status", _VERIFY_EXAMPLE, _add_verify_options),
    ):
        raw = argparse.RawDescriptionHelpFormatter
        add_options(commands.add_parser(name, help=text, epilog=example, formatter_class=raw))
    return top


def labels(pairs: Iterable[str], option: str) -> dict[str, str]:
    """Cluster labels by key.

    Raises:
        ValueError: no ``K=V``, or a key that KQL cannot bind; the message says what to write.
    """
    found: dict[str, str] = {}
    for pair in pairs:
        key, separator, value = pair.partition("=")
        if not separator:
            raise ValueError(f"{option} {pair!r} must read K=V, as in region=eastus")
        if key in found:
            raise ValueError(f"{option} names the label {key!r} twice")
        found[key] = value
    problem = label_error(found)
    if problem is not None:
        raise ValueError(f"{option}: {problem}")
    return found


def _mode(text: str) -> str:
    """The value of ``--mode``, which has one meaning left: ``all``."""
    if text != "all":
        raise argparse.ArgumentTypeError(
            f"{text!r} was removed, because two operators overwrote each other's status: leave the"
            " option out, and run the backfill with a second rule (docs/migrating.md)"
        )
    return text


def _add_planner_options(command: argparse.ArgumentParser, *also: str) -> None:
    """The options that decisions depend on; a run and a plan share them."""
    _add_endpoint_option(command)
    text = "label that criteria are compared with, and that bodies read as _K; repeat for each"
    command.add_argument(
        "--cluster-label", *also, action="append", default=[], metavar="K=V", help=text
    )
    add_ownership_options(command)
    command.add_argument("--mode", type=_mode, default="all", help=argparse.SUPPRESS)


def _add_endpoint_option(command: argparse.ArgumentParser) -> None:
    text = "endpoint that serves a database; repeat for each (plain http: loopback only)"
    command.add_argument(
        "--kusto-endpoint", action="append", default=[], metavar="DB=URL", help=text
    )


def _add_connection_options(command: argparse.ArgumentParser) -> None:
    text = "auto (default), workload-identity, managed-identity, client-secret or az-login"
    command.add_argument("--kusto-credential", default="auto", metavar="KIND", help=text)
    text = "allow plain http to other machines, if something else protects the connection"
    command.add_argument("--allow-plain-http", action="store_true", help=text)


def _add_namespace_option(command: argparse.ArgumentParser) -> None:
    text = "namespace of the named rules (default: the pod's, or that of KUBECONFIG's context)"
    command.add_argument("-n", "--namespace", metavar="NS", help=text)


def _add_output_option(command: argparse.ArgumentParser) -> None:
    text = f"output format{_DEFAULT}"
    command.add_argument("-o", "--output", choices=("text", "json"), default="text", help=text)


def _add_run_options(run: argparse.ArgumentParser) -> None:
    _add_planner_options(run)
    _add_connection_options(run)
    add = run.add_argument
    text = f"namespace of the Lease; rules of all namespaces run{_DEFAULT}"
    add("--namespace", default="summaryrule-system", metavar="NS", help=text)
    text = f"name of the Lease{_DEFAULT}"
    add("--lease", default="summaryrule-operator-worker", metavar="NAME", help=text)
    text = (
        "holder of the Lease. In a pod, use the name of the pod: a restarted container is then the"
        " leader again at once (default: host name and a random part)"
    )
    add("--identity", metavar="NAME", help=text)
    text = (
        "Deployment of the worker or webhook, in the namespace of the Lease: the status page shows"
        " its version and pods; repeat for each"
    )
    add("--deployment", action="append", default=[], metavar="COMPONENT=NAME", help=text)
    text = f"rules that are reconciled at the same time{_DEFAULT}"
    add("--workers", type=int, default=8, metavar="N", help=text)
    text = (
        "checks of rule bodies at the same time, per endpoint; with 0, no body is checked"
        f"{_DEFAULT}"
    )
    add("--query-checks", type=int, default=4, metavar="N", help=text)
    text = f"address of the status page (/) and the probes{_DEFAULT}"
    add("--host", default="127.0.0.1", help=text)
    text = f"port of the status page and the probes; 0 chooses a free one{_DEFAULT}"
    add("--port", type=int, default=8080, help=text)
    text = f"format of the log, one line per record{_DEFAULT}"
    add("--log-format", choices=("json", "logfmt"), default="json", help=text)
    levels = ("debug", "info", "warning", "error")
    add("--log-level", default="info", choices=levels, help=f"lowest level to log{_DEFAULT}")


def _add_plan_options(plan: argparse.ArgumentParser) -> None:
    text = "YAML or JSON with SummaryRules, or the name of a rule; - for standard input"
    plan.add_argument("rules", nargs="+", metavar="FILE|NAME", help=text)
    _add_namespace_option(plan)
    text = "plan for this time, RFC 3339 (default: now)"
    plan.add_argument("--now", type=read_instant, metavar="T", help=text)
    _add_planner_options(plan, "--label")
    _add_output_option(plan)


def _add_verify_options(verify: argparse.ArgumentParser) -> None:
    add = verify.add_argument
    add("rules", nargs="*", metavar="FILE|NAME", help="a rule's name, or a file with its status")
    text = "file with rules and their status; - for standard input; repeat for more"
    add("-f", "--file", action="append", default=[], metavar="FILE", help=text)
    _add_namespace_option(verify)
    text = "inclusive start, RFC 3339 (default: the first known window, at most 30 days ago)"
    add("--from", dest="since", type=read_instant, metavar="T", help=text)
    text = "exclusive end, RFC 3339 (default: the last known window)"
    add("--to", dest="until", type=read_instant, metavar="T", help=text)
    _add_endpoint_option(verify)
    _add_connection_options(verify)
    text = "label that bodies read as _K; repeat for each"
    add("--cluster-label", action="append", default=[], metavar="K=V", help=text)
    text = "request one backfill that replaces the wrong windows (writeMode: Replace only)"
    add("--repair", action="store_true", help=text)
    add(
        "--yes",
        action="store_true",
        help="with --repair: request the backfill, do not only print it",
    )
    _add_output_option(verify)
