"""What an API server trusts and where it would send a review, read from the stack as it changes."""

import asyncio
import ssl
from base64 import b64decode
from itertools import count
from typing import Final
from urllib.parse import urlsplit

import httpx
from cryptography import x509

from devstack.chart import RELEASE
from devstack.process_spec import ProcessStatus
from devstack.stack import Stack
from tests.e2e.admin import admin_connection
from webhook.certificates.pki import certificates

CONFIGURATION: Final = (
    "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/" + RELEASE
)
BEAT: Final = 0.2


def client(stack: Stack) -> httpx.AsyncClient:
    """A client of the API server, as its admin."""
    url, context = admin_connection(stack.kubeconfig)
    return httpx.AsyncClient(base_url=url, verify=context, timeout=10)


def prober() -> httpx.AsyncClient:
    """A client that verifies nothing, as a kubelet's."""
    return httpx.AsyncClient(verify=False, timeout=2)  # noqa: S501 - on loopback


class Trust:
    """The live caBundle, and the replicas that are ready, as a kubelet's probe finds them.

    `context` verifies by the bundle alone; it is another object whenever the bundle has changed.
    """

    def __init__(self, stack: Stack, api: httpx.AsyncClient, probe: httpx.AsyncClient) -> None:
        self._stack, self._api, self._probe = stack, api, probe
        self._turn = count()
        self.bundle = ""
        self.context = ssl.create_default_context()
        self.ports: list[int] = []

    @property
    def authorities(self) -> frozenset[bytes]:
        """The CAs in the bundle, as DER."""
        return frozenset(certificates(self.bundle.encode()))

    @staticmethod
    def name(authority: bytes) -> str:
        """What a CA calls itself, and so its leaves their issuer."""
        return x509.load_der_x509_certificate(authority).subject.rfc4514_string()

    def port(self) -> int:
        """The replica whose turn it is, as a Service spreads connections."""
        return self.ports[next(self._turn) % len(self.ports)]

    async def watch(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(BEAT)

    async def look(self) -> None:
        """Read both once."""
        answer = (await self._api.get(CONFIGURATION)).raise_for_status().json()
        bundle = b64decode(answer["webhooks"][0]["clientConfig"]["caBundle"]).decode()
        if bundle != self.bundle:
            self.bundle, self.context = bundle, ssl.create_default_context(cadata=bundle)
        ports = ports_of(self._stack)
        are_ready = await asyncio.gather(*map(self._is_ready, ports))
        self.ports = [port for port, ready in zip(ports, are_ready, strict=True) if ready]

    async def _is_ready(self, port: int) -> bool:
        try:
            answer = await self._probe.get(f"https://127.0.0.1:{port}/readyz")
        except httpx.HTTPError:
            return False
        return answer.status_code == httpx.codes.OK


def ports_of(stack: Stack) -> list[int]:
    """The ports of the webhook's processes, ready or not."""
    return [urlsplit(process.address).port or 0 for process in webhooks(stack)]


def webhooks(stack: Stack) -> list[ProcessStatus]:
    """The webhook's processes: one a replica, and those that come or go."""
    return [process for process in stack.processes() if process.name.startswith("webhook")]
