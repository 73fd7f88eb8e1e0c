"""One keep-alive connection to a replica, whose certificate is verified as the API server does.

Plain HTTP/1.1 over asyncio's own TLS: nothing is pooled, retried or hidden.
"""

import asyncio
import json
import ssl
from dataclasses import dataclass
from typing import Any, Final

from cryptography import x509

from tests.webhook.process import NAME

LONGEST: Final = 5.0
"""Seconds; the chart's `timeoutSeconds`, after which the API server gives up."""
_HEAD: Final = (
    "POST {path}?timeout=5s HTTP/1.1\r\n"
    "Host: {host}:443\r\n"
    "User-Agent: kube-apiserver-admission\r\n"
    "Accept: application/json, */*\r\n"
    "Content-Type: application/json\r\n"
    "Content-Length: {length}\r\n\r\n"
)


@dataclass(frozen=True, slots=True)
class Served:
    """The certificate that a replica presented: its serial number, and its CA's name."""

    serial: int
    issuer: str


class Connection:
    """An open connection; `served` is what was verified."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        found = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        certificate = x509.load_der_x509_certificate(found)
        self.served = Served(certificate.serial_number, certificate.issuer.rfc4514_string())

    @classmethod
    async def open(cls, port: int, trust: ssl.SSLContext) -> "Connection":
        """Shake hands; raises `ssl.SSLError` when `trust` does not verify what is served."""
        async with asyncio.timeout(LONGEST):
            return cls(
                *await asyncio.open_connection(
                    "127.0.0.1", port, ssl=trust, server_hostname=NAME.dns_name
                )
            )

    async def ask(self, path: str, body: bytes) -> tuple[dict[str, Any], bool]:
        """Send a review; its response, and whether the server wants to close."""
        head = _HEAD.format(path=path, host=NAME.dns_name, length=len(body))
        async with asyncio.timeout(LONGEST):
            self._writer.write(head.encode() + body)
            status, headers = _read_head(await self._reader.readuntil(b"\r\n\r\n"))
            text = await self._reader.readexactly(int(headers["content-length"]))
        if status != "200":
            raise ConnectionError(f"answered {status}: {text[:200]!r}")
        return json.loads(text)["response"], headers.get("connection") == "close"

    def close(self) -> None:
        """Hang up."""
        self._writer.close()


def _read_head(head: bytes) -> tuple[str, dict[str, str]]:
    first, *lines = head.decode("latin-1").strip().split("\r\n")
    pairs = (line.partition(":") for line in lines)
    return first.split()[1], {name.lower(): value.strip().lower() for name, _, value in pairs}
