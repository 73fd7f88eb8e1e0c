"""The Secret in which the replicas share their CA, and how the CA rotates.

    (empty) ─► current ─► current + next ─► current + previous ─► current
               2/3 of the    published and      the last leaf that
               CA's life     settled            previous signed has ended

`advance` is a pure function of the Secret's content and the time. Its result is written by
compare-and-swap, so that all replicas agree.
"""

import binascii
from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from runtime.errors import NotFound
from runtime.kube.client import KubeClient
from webhook.certificates.pki import KeyPair, Lifetimes, merge, renewal, validity
from webhook.errors import UnusableCertificateError

CA: Final = ("ca.crt", "ca.key")
NEXT: Final = ("next.crt", "next.key")
PREVIOUS: Final = "previous.crt"
PUBLISHED: Final = "published-at"
PROMOTED: Final = "promoted-at"


@dataclass(frozen=True, slots=True)
class CAState:
    """The content of the Secret. ``previous`` is a certificate without its key."""

    current: KeyPair
    next: KeyPair | None = None
    published_at: datetime | None = None
    previous: bytes = b""
    promoted_at: datetime | None = None

    @property
    def bundle(self) -> bytes:
        """The caBundle: every CA that signed a leaf in use, now or soon."""
        following = self.next.chain if self.next else b""
        return merge((self.current.chain, following, self.previous))


def advance(
    state: CAState | None,
    *,
    now: datetime,
    lifetimes: Lifetimes,
    is_published: bool,
    create_ca: Callable[[], KeyPair],
) -> CAState:
    """Take the next step of the rotation, or return ``state`` itself when none is due.

    ``is_published``: both webhook configurations were read and contain ``state.bundle``.
    """
    if state is None or validity(state.current.chain)[1] <= now:
        return CAState(create_ca())
    if state.next is not None:
        settled = is_published and now >= _settled_at(state, lifetimes)
        if not settled:
            return state
        return CAState(current=state.next, previous=state.current.chain, promoted_at=now)
    if state.previous and now >= (state.promoted_at or now) + lifetimes.leaf:
        return replace(state, previous=b"", promoted_at=None)
    if not state.previous and now >= renewal(state.current.chain):
        return replace(state, next=create_ca(), published_at=now)
    return state


def next_step(state: CAState, lifetimes: Lifetimes) -> datetime:
    """Return when `advance` may have a step to take again."""
    if state.next is not None:
        return _settled_at(state, lifetimes)
    if state.previous and state.promoted_at is not None:
        return state.promoted_at + lifetimes.leaf
    return renewal(state.current.chain)


@dataclass(frozen=True, slots=True)
class SecretSnapshot:
    """The Secret as read; ``secret`` is None when it does not exist."""

    secret: dict[str, Any] | None
    state: CAState | None


class CASecret:
    """Reads and writes Secret ``namespace/name``."""

    def __init__(self, client: KubeClient, namespace: str, name: str) -> None:
        self._client = client
        self._namespace, self._name = namespace, name
        self._all = f"/api/v1/namespaces/{namespace}/secrets"
        self._one = f"{self._all}/{name}"

    @property
    def watched(self) -> tuple[str, str]:
        """The path of its collection, and its name."""
        return self._all, self._name

    async def read(self) -> SecretSnapshot:
        """Read the Secret.

        Raises:
            UnusableCertificateError: when its data are not a CA.
            OperatorError: when it cannot be read.
        """
        try:
            secret = await self._client.request("GET", self._one)
        except NotFound:
            return SecretSnapshot(None, None)
        return SecretSnapshot(secret, self._parse(secret.get("data") or {}))

    async def write(self, before: SecretSnapshot, state: CAState) -> None:
        """Replace the content that was read by ``state``.

        Raises:
            Conflict: when another replica wrote since ``before`` was read.
        """
        data = {key: b64encode(value).decode() for key, value in _to_data(state).items()}
        if before.secret is None:
            names = {"name": self._name, "namespace": self._namespace}
            body = {"apiVersion": "v1", "kind": "Secret", "metadata": names, "data": data}
            await self._client.request("POST", self._all, body=body)
        else:
            await self._client.request("PUT", self._one, body={**before.secret, "data": data})

    def _parse(self, data: dict[str, str]) -> CAState | None:
        if not data:
            return None
        try:
            return _from_data({key: b64decode(value) for key, value in data.items()})
        except (KeyError, ValueError, binascii.Error) as error:
            where = f"Secret {self._namespace}/{self._name}"
            raise UnusableCertificateError(
                f"{where} holds no CA of this webhook ({error!r}); empty its data to have one made"
            ) from error


def _from_data(data: dict[str, bytes]) -> CAState:
    pairs = [KeyPair(data[chain], data[key]) for chain, key in (CA, NEXT) if chain in data]
    for pair in pairs:
        validity(pair.chain)
    return CAState(
        current=pairs[0],
        next=pairs[1] if pairs[1:] else None,
        published_at=_parse_time(data.get(PUBLISHED)),
        previous=data.get(PREVIOUS, b""),
        promoted_at=_parse_time(data.get(PROMOTED)),
    )


def _to_data(state: CAState) -> dict[str, bytes]:
    fields = dict(zip(CA, (state.current.chain, state.current.key), strict=True))
    if state.next is not None:
        fields |= zip(NEXT, (state.next.chain, state.next.key), strict=True)
    if state.previous:
        fields[PREVIOUS] = state.previous
    for name, time in ((PUBLISHED, state.published_at), (PROMOTED, state.promoted_at)):
        if time is not None:
            fields[name] = time.isoformat().encode()
    return fields


def _parse_time(text: bytes | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text.decode())


def _settled_at(state: CAState, lifetimes: Lifetimes) -> datetime:
    published = state.published_at or validity(state.current.chain)[0]
    return published + lifetimes.overlap
