"""The command line `python -m devstack`."""

import argparse
import importlib
import json
import os
import shlex
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from devstack import binaries
from devstack.config import (
    CHECKOUT,
    CONFIGURABLE_PORTS,
    OPTIONAL,
    StackConfig,
    parse_ports,
    parse_without,
)
from devstack.errors import DevstackError
from devstack.lifecycle import (
    SupervisorHandle,
    find_running,
    format_status,
    require_ready,
    stop_stack,
)
from devstack.ports import no_proxy_variables
from devstack.state_dir import DEFAULT, StateDir

NO_STACK = CHECKOUT / "devstack" / "no-stack.kubeconfig"
"""A kubeconfig without clusters."""

VARIABLES = ("KUBECONFIG", "KUSTO_ENDPOINT", "KUSTO_DATABASE")
"""What `env` exports, except for PATH."""

EXAMPLES = """\
examples:
  python -m devstack up                      start everything; returns when it is ready
  eval "$(python -m devstack env)"           then kubectl and helm use this stack
  kubectl get summaryrules -A
  python -m devstack status -o json | jq     pids, addresses, logs, health
  python -m devstack up --state /tmp/two     a second stack beside the first
  python -m devstack down                    stop it and remove its directory
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code."""
    arguments = parser().parse_args(argv)
    os.environ |= no_proxy_variables(os.environ)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    command: Callable[[argparse.Namespace], int] = arguments.command
    try:
        return command(arguments)
    except DevstackError as error:
        print(f"devstack: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("devstack: interrupted; nothing is left running", file=sys.stderr)
        return 128 + signal.SIGINT


def parser() -> argparse.ArgumentParser:
    """Return the parser of the commands."""
    root = argparse.ArgumentParser(
        prog="python -m devstack",
        description=sys.modules["devstack"].__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = root.add_subparsers(required=True, metavar="COMMAND")
    state = argparse.ArgumentParser(add_help=False)
    state.add_argument(
        "--state",
        metavar="DIR",
        type=Path,
        default=DEFAULT,
        help="the stack's state directory (default: .devstack in the checkout)",
    )
    up_parser = commands.add_parser("up", parents=[state], help="start a stack in the background")
    up_parser.add_argument(
        "--without",
        metavar="NAMES",
        default="",
        help=f"leave these out (comma-separated): {', '.join(OPTIONAL)}",
    )
    up_parser.add_argument(
        "--port",
        metavar="NAME=N",
        action="append",
        default=[],
        help=f"choose a port (repeatable): {', '.join(CONFIGURABLE_PORTS)}",
    )
    up_parser.set_defaults(command=up)
    down_parser = commands.add_parser(
        "down", parents=[state], help="stop it and remove its directory"
    )
    down_parser.set_defaults(command=down)
    env_parser = commands.add_parser("env", parents=[state], help="print export lines for a shell")
    env_parser.set_defaults(command=env)
    status_parser = commands.add_parser("status", parents=[state], help="list its processes")
    status_parser.add_argument("-o", "--output", choices=["text", "json"], default="text")
    status_parser.add_argument(
        "--allow-stopped", action="store_true", help="exit with 0 when no stack runs"
    )
    status_parser.set_defaults(command=status)
    demo_parser = commands.add_parser(
        "demo", parents=[state], help="run a backfill from start to end and check it"
    )
    demo_parser.set_defaults(command=demo)
    binaries_parser = commands.add_parser(
        "binaries", help="find or build etcd, kube-apiserver, kubectl, helm"
    )
    binaries_parser.add_argument(
        "--for-tests",
        action="store_true",
        help=f"also for the tests: {', '.join(tool.name for tool in binaries.CHECKERS)}",
    )
    binaries_parser.set_defaults(command=get_binaries)
    return root


def up(arguments: argparse.Namespace) -> int:
    """Start a stack and leave it running."""
    started = time.monotonic()
    state_dir = _state_dir(arguments)
    without = parse_without([name for name in arguments.without.split(",") if name])
    ports = parse_ports(arguments.port)
    if state_dir.is_locked():
        raise state_dir.already_running()
    supervisor = SupervisorHandle(
        StackConfig(state_dir.root, binaries.resolve(_report), without, ports)
    )
    try:
        supervisor.wait_until_ready(_report)
    except BaseException:
        supervisor.stop()
        raise
    supervisor.detach()
    print(f"The stack is up ({time.monotonic() - started:.1f} s). Next:")
    print(f"  {state_dir.eval_line()}")
    return 0


def down(arguments: argparse.Namespace) -> int:
    """Stop the stack and remove its directory."""
    state_dir = _state_dir(arguments)
    stopped = stop_stack(state_dir)
    root = state_dir.root
    print(f"The stack in {root} is down." if stopped else f"No stack ran in {root}.")
    if stopped or os.environ.get("KUBECONFIG") in {str(state_dir.kubeconfig), str(NO_STACK)}:
        print("To use your own kubeconfig again in a shell that used this stack:")
        print(f"  unset {' '.join(VARIABLES)}")
    return 0


def env(arguments: argparse.Namespace) -> int:
    """Print export lines for a shell; without a stack, lines that let kubectl reach no cluster."""
    try:
        environment = require_ready(_state_dir(arguments)).environment
    except DevstackError as error:
        _print_exports({"KUBECONFIG": str(NO_STACK)})
        print("false")  # the exit code of the eval
        raise DevstackError(f"{error}; until then kubectl and helm reach no cluster") from None
    _print_exports(environment | no_proxy_variables(os.environ))
    return 0


def _print_exports(environment: Mapping[str, str]) -> None:
    for name in VARIABLES:
        if name not in environment:
            print(f"unset {name}")
    for name, value in environment.items():
        rest = ':"$PATH"' if name == "PATH" else ""
        print(f"export {name}={shlex.quote(value)}{rest}")


def status(arguments: argparse.Namespace) -> int:
    """Print the status of the processes; return 1 unless all are healthy."""
    state_dir = _state_dir(arguments)
    running = find_running(state_dir)
    processes = running.processes if running else []
    if arguments.output == "json":
        print(json.dumps([process.as_json() for process in processes], indent=2))
    elif running is None:
        print(f"No stack runs in {state_dir.root}: `{state_dir.command('up')}` starts one.")
    else:
        print(format_status(running, state_dir))
    if running is None and arguments.allow_stopped:
        return 0
    return 0 if processes and all(process.healthy for process in processes) else 1


def demo(arguments: argparse.Namespace) -> int:
    """Run the demo."""
    code: int = importlib.import_module("devstack.demo").run(_state_dir(arguments))
    return code


def get_binaries(arguments: argparse.Namespace) -> int:
    """Find or build the binaries and print their paths."""
    tools = [*binaries.TOOLS, *(binaries.CHECKERS if arguments.for_tests else ())]
    for name, path in binaries.resolve(_report, tools).items():
        print(f"{name}\t{path}")
    return 0


def _state_dir(arguments: argparse.Namespace) -> StateDir:
    return StateDir(Path(os.path.abspath(arguments.state)))  # noqa: PTH100 - keeps symbolic links


def _report(step: str) -> None:
    print(f"  {step}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
