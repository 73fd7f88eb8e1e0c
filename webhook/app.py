"""``webhook serve``: builds the parts, runs them together, stops them together."""

import asyncio
import gc
import socket
from argparse import Namespace
from collections.abc import Coroutine
from datetime import UTC, datetime
from pathlib import Path

import uvloop

from webhook import expression, logs
from webhook.certificates.authority import stopgap
from webhook.certificates.context import Serving
from webhook.certificates.injection import Configurations
from webhook.certificates.keeper import Keeper
from webhook.certificates.loop import Kept, keep
from webhook.certificates.mounted import Mounted
from webhook.certificates.names import ServiceName
from webhook.certificates.rotation import Lifetimes
from webhook.certificates.store import Store
from webhook.certificates.trust import GATE
from webhook.cluster import credentials
from webhook.cluster.client import Client
from webhook.errors import ClusterError, WebhookError
from webhook.handlers import AdmissionConfig
from webhook.metrics import Metrics
from webhook.probes import ReadinessGates, create_app
from webhook.routes import Application, admission_routes
from webhook.server import Server


def serve(options: Namespace) -> int:
    """Serve until a signal; returns the exit code.

    Raises:
        WebhookError: when it cannot begin (no credentials, address in use).
    """
    logs.to_standard_error(options.log_level)
    readiness, metrics = ReadinessGates(), Metrics()
    readiness.fail(GATE, "no certificate has been verified yet")
    name = ServiceName(options.service, options.namespace)
    serving = Serving(stopgap(name.all, datetime.now(UTC)), _client_ca(options.client_ca))
    client = _client(options)
    kept = _kept(options, client, serving, readiness, metrics)
    with _listener(options.host, options.port) as listener:
        server = _server(options, serving, readiness, metrics)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_run(server, listener, keep(kept, client, readiness, metrics)))
    return 0


async def _run(
    server: Server, listener: socket.socket, keeping: Coroutine[None, None, None]
) -> None:
    async with asyncio.TaskGroup() as group:
        loop = group.create_task(keeping)
        asyncio.get_running_loop().call_later(1, _settle)
        await server.serve(listener)
        loop.cancel()


def _settle() -> None:
    """Spare the collector what will stay."""
    gc.collect()
    gc.freeze()


def _server(
    options: Namespace, serving: Serving, readiness: ReadinessGates, metrics: Metrics
) -> Server:
    application = Application(
        admission_routes(AdmissionConfig(options.worker_user, expression.problem), metrics),
        create_app(readiness, metrics),
        client_names=options.client_name if options.client_ca else None,
    )
    metrics.watch_in_flight(lambda: application.in_flight)
    return Server(
        application,
        serving.outer,
        gates=readiness,
        drain=options.drain.total_seconds(),
        has_client_ca=options.client_ca is not None,
    )


def _listener(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise WebhookError(f"cannot listen on {host}:{port}: {error}") from error


def _client(options: Namespace) -> Client | None:
    """The API server's client; mode ``files`` does without where there are no credentials."""
    try:
        return Client(credentials.find())
    except ClusterError:
        if options.certificates == "files":
            return None
        raise


def _client_ca(path: str | None) -> str | None:
    if path is None:
        return None
    try:
        return Path(path).read_text("ascii")
    except (OSError, ValueError) as error:
        raise WebhookError(f"--client-ca {path} cannot be read: {error}") from error


def _kept(
    options: Namespace,
    client: Client | None,
    serving: Serving,
    readiness: ReadinessGates,
    metrics: Metrics,
) -> Kept:
    name = ServiceName(options.service, options.namespace)
    configurations = Configurations(client, options.configuration) if client else None
    if client is None or configurations is None or options.certificates == "files":
        if options.cert_dir is None:
            raise WebhookError("--certificates files needs --cert-dir DIR")
        folder = Path(options.cert_dir)
        return Mounted(folder, configurations, serving, name, readiness, metrics)
    return Keeper(
        store=Store(client, options.namespace, options.secret),
        configurations=configurations,
        serving=serving,
        name=name,
        lifetimes=Lifetimes(options.leaf_lifetime, options.ca_lifetime, options.ca_overlap),
        readiness=readiness,
        metrics=metrics,
    )
