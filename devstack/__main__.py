"""`python -m devstack`: the stack for a person at a terminal."""

import argparse
import importlib
import json
import os
import shlex
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from devstack import binaries, running
from devstack.errors import DevstackError
from devstack.folder import DEFAULT, Folder
from devstack.launch import Lead
from devstack.order import OPTIONAL, PORTS, Order, check_ports, check_without
from devstack.ports import without_proxy

EXAMPLES = """\
examples:
  python -m devstack up                      start everything; returns when it is ready
  eval "$(python -m devstack env)"           then kubectl and helm are this stack's
  kubectl get summaryrules -A
  python -m devstack status -o json | jq     pids, addresses, logs, health
  python -m devstack up --state /tmp/two     a second stack beside the first
  python -m devstack down                    stop it and remove its folder
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; give its exit code."""
    asked = parser().parse_args(arguments)
    os.environ |= without_proxy(os.environ)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    command: Callable[[argparse.Namespace], int] = asked.command
    try:
        return command(asked)
    except DevstackError as error:
        print(f"devstack: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("devstack: interrupted; nothing is left running", file=sys.stderr)
        return 128 + signal.SIGINT


def parser() -> argparse.ArgumentParser:
    """Describe the commands."""
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
        help="the stack's folder (default: .devstack in the checkout)",
    )
    starting = commands.add_parser("up", parents=[state], help="start a stack in the background")
    starting.add_argument(
        "--without",
        metavar="NAMES",
        default="",
        help=f"leave these out, with commas between: {', '.join(OPTIONAL)}",
    )
    starting.add_argument(
        "--port",
        metavar="NAME=N",
        action="append",
        default=[],
        help=f"choose a port (repeatable): {', '.join(PORTS)}",
    )
    starting.set_defaults(command=up)
    stopping = commands.add_parser("down", parents=[state], help="stop it, remove its folder")
    stopping.set_defaults(command=down)
    environment = commands.add_parser("env", parents=[state], help="print export lines for a shell")
    environment.set_defaults(command=env)
    asking = commands.add_parser("status", parents=[state], help="list its processes")
    asking.add_argument("-o", "--output", choices=["text", "json"], default="text")
    asking.set_defaults(command=status)
    showing = commands.add_parser("demo", parents=[state], help="run the whole story and check it")
    showing.set_defaults(command=demo)
    getting = commands.add_parser(
        "binaries", help="find or build etcd, kube-apiserver, kubectl, helm"
    )
    getting.add_argument(
        "--for-tests",
        action="store_true",
        help=f"and what the tests need: {', '.join(tool.name for tool in binaries.CHECKERS)}",
    )
    getting.set_defaults(command=get_binaries)
    return root


def up(asked: argparse.Namespace) -> int:
    """Start a stack and leave it running."""
    began = time.monotonic()
    folder = _folder(asked)
    without = check_without([name for name in asked.without.split(",") if name])
    ports = check_ports(asked.port)
    if folder.is_held():
        raise DevstackError(
            f"a stack runs in {folder.root} already: `status` shows it, `down` stops it, "
            "--state DIR starts another beside it"
        )
    lead = Lead(Order(folder.root, binaries.resolve(_report), without, ports))
    try:
        lead.until_ready(_report)
    except BaseException:
        lead.stop()
        raise
    lead.let_go()
    here = "" if folder.root == DEFAULT else f" --state {shlex.quote(str(folder.root))}"
    print(f"The stack is up ({time.monotonic() - began:.1f} s). Next:")
    print(f'  eval "$(uv run python -m devstack env{here})"')
    return 0


def down(asked: argparse.Namespace) -> int:
    """Stop the stack and remove its folder."""
    folder = _folder(asked)
    stopped = running.take_down(folder)
    print(f"The stack in {folder.root} is down." if stopped else f"No stack ran in {folder.root}.")
    return 0


def env(asked: argparse.Namespace) -> int:
    """Print export lines."""
    exported = running.require(_folder(asked)).environment | without_proxy(os.environ)
    for name, value in exported.items():
        rest = ':"$PATH"' if name == "PATH" else ""
        print(f"export {name}={shlex.quote(value)}{rest}")
    return 0


def status(asked: argparse.Namespace) -> int:
    """List the processes; exit 1 unless all are healthy."""
    folder = _folder(asked)
    found = running.look(folder)
    processes = found.processes if found else []
    if asked.output == "json":
        print(json.dumps([process.as_json() for process in processes], indent=2))
    elif found is None:
        print(f"No stack runs in {folder.root}.")
    else:
        print(running.table(found))
    return 0 if processes and all(process.healthy for process in processes) else 1


def demo(asked: argparse.Namespace) -> int:
    """Run the demo."""
    tell: int = importlib.import_module("devstack.demo").run(_folder(asked))
    return tell


def get_binaries(asked: argparse.Namespace) -> int:
    """Find or build the binaries and print where they are."""
    tools = [*binaries.TOOLS, *(binaries.CHECKERS if asked.for_tests else ())]
    for name, path in binaries.resolve(_report, tools).items():
        print(f"{name}\t{path}")
    return 0


def _folder(asked: argparse.Namespace) -> Folder:
    return Folder(Path(os.path.abspath(asked.state)))  # noqa: PTH100 - links are kept as typed


def _report(step: str) -> None:
    print(f"  {step}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
