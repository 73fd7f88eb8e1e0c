"""``webhook serve``: builds the parts, runs them together, stops them together."""

import asyncio
import gc
import socket
from argparse import Namespace
from collections.abc import Coroutine
from datetime import UTC, datetime
from pathlib import Path

import uvloop

from runtime import cel, logging
from runtime.options import read_ownership
from webhook import kube_config
from webhook.app import Application, admission_routes
from webhook.certificates import loop
from webhook.certificates.ca_bundle import GATE, WebhookConfigurations
from webhook.certificates.ca_secret import CASecret
from webhook.certificates.mounted import MountedCertificates
from webhook.certificates.pki import Lifetimes, ServiceName, placeholder
from webhook.certificates.self_signed import SelfSignedCertificates
from webhook.certificates.tls import ReloadableTLSContext
from webhook.errors import ClusterError, WebhookError
from webhook.handlers import AdmissionConfig
from webhook.kube_client import Client
from webhook.metrics import Metrics
from webhook.probes import ReadinessGates, create_app
from webhook.server import Server


def serve(options: Namespace) -> int:
    """Serve until a signal; return the exit code.

    Raises:
        WebhookError: when it cannot start (no credentials, address in use).
    """
    logging.configure("json", options.log_level)
    gates, metrics = ReadinessGates(), Metrics()
    gates.set(GATE, "no certificate has been verified yet")
    name = ServiceName(options.service, options.namespace)
    first = placeholder(name.dns_names, datetime.now(UTC))
    tls = ReloadableTLSContext(first, _read_client_ca(options.client_ca))
    client = _kube_client(options)
    source = _certificate_source(options, client, tls, gates, metrics)
    with _listen(options.host, options.port) as listener:
        server = _server(options, tls, gates, metrics)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_run(server, listener, loop.run(source, client, gates, metrics)))
    return 0


async def _run(
    server: Server, listener: socket.socket, certificate_loop: Coroutine[None, None, None]
) -> None:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(certificate_loop)
        asyncio.get_running_loop().call_later(1, _freeze_garbage_collector)
        await server.serve(listener)
        task.cancel()


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


def _kube_client(options: Namespace) -> Client | None:
    """Return a client of the API server; None in mode ``files`` without credentials."""
    try:
        return Client(kube_config.find_credentials())
    except ClusterError:
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
    client: Client | None,
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
