"""``webhook serve``: builds the parts, runs them together, stops them together."""

import asyncio
import gc
import os
import socket
from argparse import Namespace
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path

import uvloop

from runtime import cel, logging
from runtime.errors import Refused
from runtime.kube.client import KubeClient
from runtime.kube.config import connected
from runtime.options import read_ownership
from webhook.app import Application, admission_routes
from webhook.certificates import loop
from webhook.certificates.ca_bundle import GATE, WebhookConfigurations
from webhook.certificates.ca_secret import CASecret
from webhook.certificates.lifetimes import Lifetimes
from webhook.certificates.mounted import MountedCertificates
from webhook.certificates.pki import ServiceName, placeholder
from webhook.certificates.self_signed import SelfSignedCertificates
from webhook.certificates.tls import ReloadableTLSContext
from webhook.errors import WebhookError
from webhook.handlers import AdmissionConfig
from webhook.metrics import Metrics
from webhook.probes import ReadinessGates, create_app
from webhook.server import Server


def serve(options: Namespace) -> int:
    """Serve until a signal; return the exit code.

    Raises:
        OperatorError: when it cannot start (no credentials, address in use).
    """
    logging.configure("json", options.log_level)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(options))
    return 0


async def _serve(options: Namespace) -> None:
    gates, metrics = ReadinessGates(), Metrics()
    gates.set(GATE, "no certificate has been verified yet")
    name = ServiceName(options.service, options.namespace)
    first = placeholder(name.dns_names, datetime.now(UTC))
    tls = ReloadableTLSContext(first, _read_client_ca(options.client_ca))
    async with AsyncExitStack() as stack:
        client = await _connect(stack, options)
        source = _certificate_source(options, client, tls, gates, metrics)
        listener = stack.enter_context(_listen(options.host, options.port))
        server = _server(options, tls, gates, metrics)
        group = await stack.enter_async_context(asyncio.TaskGroup())
        certificates = group.create_task(loop.run(source, client, gates, metrics))
        asyncio.get_running_loop().call_later(1, _freeze_garbage_collector)
        await server.serve(listener)
        certificates.cancel()


def _freeze_garbage_collector() -> None:
    """Exclude what start-up made from every later collection."""
    gc.collect()
    gc.freeze()


def _server(
    options: Namespace, tls: ReloadableTLSContext, gates: ReadinessGates, metrics: Metrics
) -> Server:
    application = Application(
        admission_routes(
            AdmissionConfig(options.worker_user, cel.parse_error, read_ownership(options)), metrics
        ),
        create_app(gates, metrics),
        client_names=options.client_name if options.client_ca else None,
    )
    metrics.watch_in_flight(lambda: application.in_flight)
    return Server(
        application,
        tls.listener_context,
        gates=gates,
        drain=options.drain.total_seconds(),
        has_client_ca=options.client_ca is not None,
    )


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise WebhookError(f"cannot listen on {host}:{port}: {error}") from error


async def _connect(stack: AsyncExitStack, options: Namespace) -> KubeClient | None:
    """Return a client of the API server; None in mode ``files`` without credentials."""
    connection = connected(os.environ, user_agent="summaryrule-operator-webhook")
    try:
        return KubeClient(await stack.enter_async_context(connection))
    except Refused:
        if options.certificates == "files":
            return None
        raise


def _read_client_ca(path: str | None) -> str | None:
    if path is None:
        return None
    try:
        return Path(path).read_text("ascii")
    except (OSError, ValueError) as error:
        raise WebhookError(f"--client-ca {path} cannot be read: {error}") from error


def _certificate_source(
    options: Namespace,
    client: KubeClient | None,
    tls: ReloadableTLSContext,
    gates: ReadinessGates,
    metrics: Metrics,
) -> loop.CertificateSource:
    name = ServiceName(options.service, options.namespace)
    configurations = WebhookConfigurations(client, options.configuration) if client else None
    if client is None or configurations is None or options.certificates == "files":
        if options.cert_dir is None:
            raise WebhookError("--certificates files needs --cert-dir DIR")
        folder = Path(options.cert_dir)
        return MountedCertificates(folder, configurations, tls, name, gates, metrics)
    return SelfSignedCertificates(
        secret=CASecret(client, options.namespace, options.secret),
        configurations=configurations,
        tls=tls,
        name=name,
        lifetimes=Lifetimes(options.leaf_lifetime, options.ca_lifetime, options.ca_overlap),
        gates=gates,
        metrics=metrics,
    )
