"""The Secret that the replicas share their CA in, written by compare-and-swap."""

import binascii
from base64 import b64decode, b64encode
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from webhook.certificates.authority import validity
from webhook.certificates.context import Pair
from webhook.certificates.rotation import Authorities
from webhook.cluster.client import Client
from webhook.errors import NotFoundError, UnusableCertificateError

CA: Final = ("ca.crt", "ca.key")
NEXT: Final = ("next.crt", "next.key")
PREVIOUS: Final = "previous.crt"
PUBLISHED: Final = "published-at"
PROMOTED: Final = "promoted-at"


@dataclass(frozen=True, slots=True)
class Stored:
    """The Secret as read; ``secret`` is None when there is none."""

    secret: dict[str, Any] | None
    authorities: Authorities | None


class Store:
    """Reads and writes Secret ``namespace/name``."""

    def __init__(self, client: Client, namespace: str, name: str) -> None:
        self._client = client
        self._namespace, self._name = namespace, name
        self._all = f"/api/v1/namespaces/{namespace}/secrets"
        self._one = f"{self._all}/{name}"

    @property
    def watch_path(self) -> str:
        """What to watch to hear of a change."""
        return f"{self._all}?watch=1&timeoutSeconds=300&fieldSelector=metadata.name%3D{self._name}"

    async def read(self) -> Stored:
        """What is stored now.

        Raises:
            UnusableCertificateError: when the Secret has data that are no CA.
            ClusterError: when it cannot be read.
        """
        try:
            secret = await self._client.call("GET", self._one)
        except NotFoundError:
            return Stored(None, None)
        return Stored(secret, self._parsed(secret.get("data") or {}))

    async def write(self, before: Stored, authorities: Authorities) -> None:
        """Replace what was read by ``authorities``.

        Raises:
            ConflictError: when another replica wrote since ``before`` was read.
        """
        data = {key: b64encode(value).decode() for key, value in _fields(authorities).items()}
        if before.secret is None:
            names = {"name": self._name, "namespace": self._namespace}
            body = {"apiVersion": "v1", "kind": "Secret", "metadata": names, "data": data}
            await self._client.call("POST", self._all, body)
        else:
            await self._client.call("PUT", self._one, {**before.secret, "data": data})

    def _parsed(self, data: dict[str, str]) -> Authorities | None:
        if not data:
            return None
        try:
            return _authorities({key: b64decode(value) for key, value in data.items()})
        except (KeyError, ValueError, binascii.Error) as error:
            where = f"Secret {self._namespace}/{self._name}"
            raise UnusableCertificateError(
                f"{where} holds no CA of this webhook ({error!r}); empty its data to have one made"
            ) from error


def _authorities(data: dict[str, bytes]) -> Authorities:
    pairs = [Pair(data[chain], data[key]) for chain, key in (CA, NEXT) if chain in data]
    for pair in pairs:
        validity(pair.chain)
    return Authorities(
        current=pairs[0],
        next=pairs[1] if pairs[1:] else None,
        published_at=_time(data.get(PUBLISHED)),
        previous=data.get(PREVIOUS, b""),
        promoted_at=_time(data.get(PROMOTED)),
    )


def _fields(held: Authorities) -> dict[str, bytes]:
    fields = dict(zip(CA, (held.current.chain, held.current.key), strict=True))
    if held.next is not None:
        fields |= zip(NEXT, (held.next.chain, held.next.key), strict=True)
    if held.previous:
        fields[PREVIOUS] = held.previous
    for name, time in ((PUBLISHED, held.published_at), (PROMOTED, held.promoted_at)):
        if time is not None:
            fields[name] = time.isoformat().encode()
    return fields


def _time(text: bytes | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text.decode())
