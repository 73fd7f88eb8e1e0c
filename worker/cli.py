"""The command line of ``worker run`` and ``worker plan``."""

import argparse
from collections.abc import Iterable
from typing import Final

from runtime.ownership import add_ownership_options
from summaryrule.api.instant import Instant, InvalidInstantError
from summaryrule.planner.block_reasons import label_error

_RUN_EXAMPLE: Final = """\
example:
  python -m worker run --kusto-endpoint Telemetry=https://help.kusto.windows.net \\
      --cluster-label region=eastus

The worker finds the API server by its pod's ServiceAccount, or by KUBECONFIG on a laptop. Any
number of replicas may run: one leads by the Lease, the others wait. SIGTERM releases the Lease.
"""
_PLAN_EXAMPLE: Final = """\
example:
  python -m worker plan rule.yaml --now 2026-01-31T13:00:00Z --cluster-label region=eastus
  python -m worker plan cpu-hourly -n telemetry

Prints what a run would submit at that time: every window that is due, its exact KQL and token, how
long that should take, judged by past operations, and why anything is held back. No server is asked
about a rule in a file. The file may have a status, as `kubectl get -o yaml` prints it; the plan
then continues from there. A name is looked up in the cluster of the pod's ServiceAccount or of
KUBECONFIG.
Use the same options as for the worker: without --kusto-endpoint every database has an endpoint.
The first 1,000 windows of each kind are listed. Tokens are the same as those of a run only if the
rule has its UID: given by its name, or from `kubectl get -o yaml`.
Exit code 0: planned; 1: the cluster cannot be reached or refuses; 2: no such file or rule.
"""
_VERIFY_EXAMPLE: Final = """\
example:
  python -m worker verify cpu-hourly -n telemetry --from 2026-01-01T00:00:00Z \\
      --kusto-endpoint Telemetry=https://help.kusto.windows.net --kusto-credential az-login

Asks Kusto which windows have rows in the table, by the tags of its extents, and compares them with
what the rule's status says. It needs the role Database Viewer. A window that is done and has no
rows is run as a query to see whether it is empty, for at most 200 windows.
Without --kusto-endpoint, KUSTO_DATABASE and KUSTO_ENDPOINT name the endpoint. Give the worker's
cluster labels too, if the body reads them.
  once        the rows of one run are there
  empty       done, and the query has no rows
  missing     done, and no rows are there
  twice       the rows of several runs are there
  failed      the window failed; retry or skip it
  pending     running, or still to run
  unlisted    the rows are there, and status does not know of the run
  unknown     extents of that time have no tags, or the window was on another grid
  not covered neither the schedule nor a backfill had it
Each wrong window is followed by the command that repairs it. With writeMode: Replace, --repair says
which backfill repairs all of them, and --repair --yes requests it.
Exit code 0: nothing is missing, twice or failed; 1: something is, or Kusto or the cluster cannot be
asked; 2: bad usage, no such file or rule.
"""


def parser() -> argparse.ArgumentParser:
    """``worker run``, ``worker plan`` and ``worker verify``."""
    top = argparse.ArgumentParser(
        prog="python -m worker",
        description="Runs SummaryRules: interval windows, and backfills of the past.",
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="run | plan | verify")
    raw = argparse.RawDescriptionHelpFormatter
    text = "run rules until stopped"
    _add_run_options(
        commands.add_parser("run", help=text, epilog=_RUN_EXAMPLE, formatter_class=raw)
    )
    text = "print what a run would do"
    _add_plan_options(
        commands.add_parser("plan", help=text, epilog=_PLAN_EXAMPLE, formatter_class=raw)
    )
    text = "compare a rule's table with its status"
    _add_verify_options(
        commands.add_parser("verify", help=text, epilog=_VERIFY_EXAMPLE, formatter_class=raw)
    )
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
    add = command.add_argument
    add(
        "--kusto-endpoint",
        action="append",
        default=[],
        metavar="DB=URL",
        help="endpoint that serves a database; repeat for each (plain http: loopback only)",
    )
    add(
        "--cluster-label",
        *also,
        action="append",
        default=[],
        metavar="K=V",
        help="label that criteria match and bodies read as _K; repeat for each",
    )
    add_ownership_options(command)
    add("--mode", type=_mode, default="all", help=argparse.SUPPRESS)


def _add_run_options(run: argparse.ArgumentParser) -> None:
    _add_planner_options(run)
    add = run.add_argument
    add(
        "--kusto-credential",
        default="auto",
        metavar="KIND",
        help="auto (default), workload-identity, managed-identity, client-secret or az-login",
    )
    add(
        "--allow-plain-http",
        action="store_true",
        help="allow plain http to other machines, if something else protects the connection",
    )
    add(
        "--namespace",
        default="summaryrule-system",
        metavar="NS",
        help="namespace of the Lease; rules of all namespaces run (default: %(default)s)",
    )
    add(
        "--lease",
        default="summaryrule-operator-worker",
        metavar="NAME",
        help="name of the Lease (default: %(default)s)",
    )
    add(
        "--identity",
        metavar="NAME",
        help="holder of the Lease; in a pod its name, so that a restarted container leads again at"
        " once (default: host name and a random part)",
    )
    add(
        "--deployment",
        action="append",
        default=[],
        metavar="COMPONENT=NAME",
        help="Deployment of the worker or webhook, in the namespace of the Lease: the status page"
        " shows its version and pods; repeat for each",
    )
    add(
        "--workers",
        type=int,
        default=8,
        metavar="N",
        help="rules that are reconciled at the same time (default: %(default)s)",
    )
    add(
        "--query-checks",
        type=int,
        default=4,
        metavar="N",
        help="queries at once, per endpoint, that ask whether the body of a rule is valid; 0 asks"
        " about none (default: %(default)s)",
    )
    add(
        "--host",
        default="127.0.0.1",
        help="address of the status page (/) and the probes (default: %(default)s)",
    )
    add(
        "--port",
        type=int,
        default=8080,
        help="port of the status page and the probes; 0 chooses a free one (default: %(default)s)",
    )
    add(
        "--log-format",
        choices=("json", "logfmt"),
        default="json",
        help="format of the log, one line per record (default: %(default)s)",
    )
    add(
        "--log-level",
        default="info",
        choices=("debug", "info", "warning", "error"),
        help="lowest level to log (default: %(default)s)",
    )


def _add_plan_options(plan: argparse.ArgumentParser) -> None:
    add = plan.add_argument
    add(
        "rules",
        nargs="+",
        metavar="FILE|NAME",
        help="YAML or JSON with one or more SummaryRules, - for standard input; or a rule's name",
    )
    add(
        "-n",
        "--namespace",
        metavar="NS",
        help="namespace of the named rules (default: the pod's, or that of KUBECONFIG's context)",
    )
    add(
        "--now",
        type=_instant,
        metavar="T",
        help="plan for this time, RFC 3339 (default: the clock)",
    )
    _add_planner_options(plan, "--label")
    add(
        "-o",
        "--output",
        choices=("text", "json"),
        default="text",
        help="output format (default: %(default)s)",
    )


def _add_verify_options(verify: argparse.ArgumentParser) -> None:
    add = verify.add_argument
    add("rules", nargs="*", metavar="FILE|NAME", help="a rule's name, or a file with its status")
    text = "file with rules and their status; - for standard input; repeat for more"
    add("-f", "--file", action="append", default=[], metavar="FILE", help=text)
    text = "namespace of the named rules (default: the pod's, or that of KUBECONFIG's context)"
    add("-n", "--namespace", metavar="NS", help=text)
    text = "inclusive start, RFC 3339 (default: the first known window, at most 30 days ago)"
    add("--from", dest="since", type=_instant, metavar="T", help=text)
    text = "exclusive end, RFC 3339 (default: the last known window)"
    add("--to", dest="until", type=_instant, metavar="T", help=text)
    text = "endpoint that serves a database; repeat for each (plain http: loopback only)"
    add("--kusto-endpoint", action="append", default=[], metavar="DB=URL", help=text)
    text = "auto (default), workload-identity, managed-identity, client-secret or az-login"
    add("--kusto-credential", default="auto", metavar="KIND", help=text)
    text = "allow plain http to other machines, if something else protects the connection"
    add("--allow-plain-http", action="store_true", help=text)
    text = "label that bodies read as _K; repeat for each"
    add("--cluster-label", action="append", default=[], metavar="K=V", help=text)
    text = "request one backfill that replaces the wrong windows (writeMode: Replace only)"
    add("--repair", action="store_true", help=text)
    add("--yes", action="store_true", help="with --repair: request it, do not only say what it is")
    text = "output format (default: %(default)s)"
    add("-o", "--output", choices=("text", "json"), default="text", help=text)


def _instant(text: str) -> Instant:
    try:
        return Instant.parse(text)
    except InvalidInstantError as error:
        raise argparse.ArgumentTypeError(f"{text!r} {error}") from error
