"""Traces one window of a backfill and one admission review, and says which files they pass.

The worker runs in this process, on a real API server and the local Kusto endpoint. Only its own
thread is traced, from the moment before the rule is applied until its backfill has removed itself.
The review is one request to the webhook's ASGI application.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from http import HTTPStatus
from pathlib import Path
from types import FrameType
from typing import Any

from devstack.stack import Stack
from runtime.cel import parse_error
from webhook.app import Application, admission_routes
from webhook.handlers import AdmissionConfig
from webhook.metrics import Metrics
from webhook.probes import ReadinessGates, create_app
from worker.app import run
from worker.cli import parser

RULE = "structure"
SECONDS = 60.0
_WINDOW_AGE = 48 * 3600


class Trace:
    """A `sys.setprofile` function that collects the product files whose code runs."""

    def __init__(self, root: Path, packages: Sequence[str]) -> None:
        self._root = root
        self._prefixes = tuple(f"{root / package}/" for package in packages)
        self._files: set[str] = set()
        self.decisions = 0

    @property
    def files(self) -> list[str]:
        """Their paths from the root of the checkout."""
        return sorted(str(Path(name).relative_to(self._root)) for name in self._files)

    def __call__(self, frame: FrameType, event: str, _argument: object) -> None:
        """Record a call."""
        code = frame.f_code
        if event != "call" or not code.co_filename.startswith(self._prefixes):
            return
        if not _is_renewal():
            self._files.add(code.co_filename)
            self.decisions += code.co_name == "decide"


def _is_renewal() -> bool:
    """Whether the call belongs to the renewal of the Lease, which runs by itself."""
    try:
        task = asyncio.current_task()
    except RuntimeError:  # no event loop runs
        return False
    return task is not None and task.get_name() == "renew-lease"


def window_files(root: Path, packages: Sequence[str]) -> tuple[list[str], int]:
    """The files that one window passes, and the calls of `decide` that it takes."""
    trace = Trace(root, packages)
    without = frozenset({"webhook", "worker"})
    with (
        tempfile.TemporaryDirectory(prefix="structure-") as directory,
        Stack.start(Path(directory), without=without) as stack,
    ):
        asyncio.run(_run_window(stack, trace))
    return trace.files, trace.decisions


def review_files(root: Path, packages: Sequence[str]) -> list[str]:
    """The files that one review of a new rule with a backfill passes, on `/validate`."""
    metrics = Metrics()
    config = AdmissionConfig("system:serviceaccount:default:worker", parse_error)
    application = Application(
        admission_routes(config, metrics), create_app(ReadinessGates(), metrics)
    )
    rule = json.loads(_manifest({"KUSTO_DATABASE": "Telemetry"}))
    request = {
        "uid": "structure",
        "operation": "CREATE",
        "userInfo": {"username": "somebody"},
        "kind": {"group": "adx-mon.azure.com", "version": "v1", "kind": "SummaryRule"},
        "resource": {"group": "adx-mon.azure.com", "version": "v1", "resource": "summaryrules"},
        "object": rule,
    }
    review = {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": request,
    }
    trace = Trace(root, packages)
    sys.setprofile(trace)
    try:
        status = asyncio.run(_post(application, json.dumps(review).encode()))
    finally:
        sys.setprofile(None)
    if status != HTTPStatus.OK:
        raise RuntimeError(f"the review was answered with {status}")
    return trace.files


async def _post(application: Application, body: bytes) -> int:
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/validate",
        "headers": [(b"content-type", b"application/json")],
        "state": {},
    }
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    await application(scope, receive, send)
    return int(sent[0]["status"])


async def _run_window(stack: Stack, trace: Trace) -> None:
    env = stack.env()
    await asyncio.to_thread(_create_table, stack)
    options = parser().parse_args(
        [
            "run",
            f"--kusto-endpoint={env['KUSTO_DATABASE']}={env['KUSTO_ENDPOINT']}",
            "--namespace=default",
            "--port=0",
        ]
    )
    worker = asyncio.create_task(run(options, env))
    try:
        await _until(lambda: _has_leader(stack))
        sys.setprofile(trace)
        try:
            await asyncio.to_thread(_kubectl, stack, "apply", "-f", "-", text=_manifest(env))
            await _until(lambda: not _get(stack)["spec"].get("backfill"))
        finally:
            sys.setprofile(None)
    finally:
        os.kill(os.getpid(), signal.SIGTERM)  # the worker's own way to stop
        await worker


async def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not await asyncio.to_thread(condition):
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {SECONDS:.0f} s")
        await asyncio.sleep(0.2)


def _kubectl(stack: Stack, *arguments: str, text: str = "") -> str:
    return subprocess.run(  # noqa: S603 - the stack's own kubectl
        [stack.kubectl, *arguments],
        env=stack.env(),
        input=text,
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def _get(stack: Stack) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(_kubectl(stack, "get", "summaryrule", RULE, "-o", "json"))
    return found


def _has_leader(stack: Stack) -> bool:
    leases = json.loads(_kubectl(stack, "get", "leases", "-n", "default", "-o", "json"))["items"]
    return any(lease["spec"].get("holderIdentity") for lease in leases)


def _create_table(stack: Stack) -> None:
    from azure.kusto.data import (  # noqa: PLC0415 - a second of import
        KustoClient,
        KustoConnectionStringBuilder,
    )

    env = stack.env()
    connection = KustoConnectionStringBuilder.with_no_authentication(env["KUSTO_ENDPOINT"])
    with KustoClient(connection) as client:
        client.execute_mgmt(
            env["KUSTO_DATABASE"], ".create table Raw (Timestamp:datetime, Value:long)"
        )


def _manifest(env: Mapping[str, str]) -> str:
    """A suspended rule with a backfill of one window of an hour, two days ago."""
    start = int(time.time() - _WINDOW_AGE) // 3600 * 3600
    bounds = [time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at)) for at in (start, start + 3600)]
    return json.dumps(
        {
            "apiVersion": "adx-mon.azure.com/v1",
            "kind": "SummaryRule",
            "metadata": {"name": RULE},
            "spec": {
                "database": env["KUSTO_DATABASE"],
                "table": "Hourly",
                "interval": "1h",
                "ingestionDelay": "0s",
                "suspend": True,
                "body": "Raw | where Timestamp between (_startTime .. _endTime) | count",
                "backfill": {"start": bounds[0], "end": bounds[1]},
            },
        }
    )
