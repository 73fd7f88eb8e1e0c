"""`ui`: opens the status page of the worker that leads, through `kubectl port-forward`."""

import argparse
import json
import os
import signal
import subprocess
import sys
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, NoReturn
from urllib.parse import urlencode

from plugin.console import Console
from plugin.kubectl import Kubectl, RefusedError, UsageError
from plugin.leader import Leader, one_line, read_leader
from summaryrule.api.block_reason import BlockReason
from summaryrule.api.unstructured import as_str, nested_dict, nested_list

ADDRESS: Final = "127.0.0.1"
PORT_NAME: Final = "http"
DEFAULT_PORT: Final = 8080
FORWARDING: Final = f"Forwarding from {ADDRESS}:"
"""What kubectl prints once the port is open."""


def ui(kubectl: Kubectl, args: argparse.Namespace, console: Console) -> int:
    """Forward a local port until Ctrl-C, print the URL and open the browser; exit code 0.

    Raises:
        UsageError: more than one name.
        RefusedError: no worker leads, the leader is not a pod, or the forwarding ended.
    """
    if len(args.names) > 1:
        raise UsageError("name one rule, or none for the page of all rules")
    path = _path(kubectl.rule(args.names[0])) if args.names else "/"
    leader = _require_leader(kubectl, console)
    in_namespace = kubectl.in_namespace(leader.namespace)
    pod = leader.pod
    port = _port(in_namespace, leader)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    words = ("port-forward", f"pod/{pod}", f"{args.port}:{port}", f"--address={ADDRESS}")
    with _running(in_namespace, *words) as forward:
        try:
            _show(f"http://{ADDRESS}:{_local_port(forward)}{path}", args, console)
            _read_to_the_end(forward)
        except KeyboardInterrupt:
            return 0
    raise RefusedError(f"the connection to {pod} has ended; run the command again")


def _path(rule: dict[str, Any]) -> str:
    metadata = nested_dict(rule, "metadata")
    return "/rule?" + urlencode(
        {name: as_str(metadata.get(name)) for name in ("namespace", "name")}
    )


def _require_leader(kubectl: Kubectl, console: Console) -> Leader:
    leader = read_leader(kubectl, console)
    if leader.unknown:
        raise RefusedError(f"which worker leads is unknown: {leader.unknown}")
    if not leader.leads:
        raise RefusedError(f"{leader.message}; do: {BlockReason.NO_LEADER.remedy('NAME')}")
    return leader


def _port(kubectl: Kubectl, leader: Leader) -> int:
    """The port of the status page, as the pod names it."""
    found, answer = kubectl.try_run("get", "pod", leader.pod, "-o", "json")
    if not found:
        _refuse_pod(leader, one_line(answer))
    containers = nested_list(nested_dict(json.loads(answer), "spec"), "containers")
    ports = [port for each in containers for port in nested_list(each, "ports")]
    return next((p["containerPort"] for p in ports if p.get("name") == PORT_NAME), DEFAULT_PORT)


def _refuse_pod(leader: Leader, answer: str) -> NoReturn:
    if "NotFound" not in answer:
        raise RefusedError(answer)
    raise RefusedError(
        f"the leader {leader.holder} is not a pod in namespace {leader.namespace}, so kubectl"
        " cannot forward a port to it; open the address of that worker (worker run --host, --port)"
    )


@contextmanager
def _running(kubectl: Kubectl, *words: str) -> Iterator[subprocess.Popen[str]]:
    """A kubectl that runs until the end of the block."""
    process = kubectl.start(*words)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def _local_port(forward: subprocess.Popen[str]) -> int:
    if forward.stdout is not None:
        for line in forward.stdout:
            if line.startswith(FORWARDING):
                return int(line.removeprefix(FORWARDING).split()[0])
    raise RefusedError  # kubectl has said why


def _read_to_the_end(forward: subprocess.Popen[str]) -> None:
    """Wait for its end; kubectl prints a line per connection, and a full pipe would block it."""
    for _ in forward.stdout or ():
        pass
    forward.wait()


def _show(url: str, args: argparse.Namespace, console: Console) -> None:
    console.say([url])
    if not args.no_browser and _has_browser() and webbrowser.open(url):
        console.hint("opened in your browser; Ctrl-C ends the forwarding")
    else:
        console.hint("open this address in a browser; Ctrl-C ends the forwarding")


def _has_browser() -> bool:
    """Whether a window can be opened; a browser inside this terminal would take it over."""
    if os.environ.get("BROWSER") or sys.platform in {"darwin", "win32"}:
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
