"""The Secret in which the replicas share their CA, and how the CA rotates.

The steps of the rotation, each with its condition:

1.  (any state) ─► current: the Secret has no CA, or the current CA has expired.
2.  current ─► current + next: two thirds of the current CA's lifetime have passed.
3.  current + next ─► current + previous: both webhook configurations contain the next CA, and
    ``Lifetimes.overlap`` has passed since step 2.
4.  current + previous ─► current: ``Lifetimes.leaf`` has passed since step 3, so the leaves that
    the previous CA signed have expired.

`advance` does no I/O. It returns the next content of the Secret. `CASecret.write` writes it by
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
from webhook.certificates.lifetimes import Lifetimes
from webhook.certificates.pki import KeyPair, merge, renewal, validity
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
        """The caBundle.

        It contains the current CA. It contains the next CA, if there is one: this CA signs leaves
        after step 3. It contains the previous CA, if there is one: its leaves may still be in use.
        """
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
    """Return the state after the next step of the rotation; ``state`` itself if no step is due.

    ``is_published``: both webhook configurations were read and contain ``state.bundle``.
    ``create_ca`` makes a new key and its certificate.
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
    """Return the earliest time at which `advance` can change the state."""
    if state.next is not None:
        return _settled_at(state, lifetimes)
    if state.previous and state.promoted_at is not None:
        return state.promoted_at + lifetimes.leaf
    return renewal(state.current.chain)


@dataclass(frozen=True, slots=True)
class SecretSnapshot:
    """The Secret at the time of the read. ``secret`` is None if the Secret does not exist."""

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
        """The path of the collection of Secrets, and the name of the Secret, for a watch."""
        return self._all, self._name

    async def read(self) -> SecretSnapshot:
        """Read the Secret.

        Raises:
            UnusableCertificateError: the data of the Secret is not a CA of this webhook.
            OperatorError: the Secret cannot be read.
        """
        try:
            secret = await self._client.request("GET", self._one)
        except NotFound:
            return SecretSnapshot(None, None)
        return SecretSnapshot(secret, self._parse(secret.get("data") or {}))

    async def write(self, before: SecretSnapshot, state: CAState) -> None:
        """Write ``state`` to the Secret if the Secret is still the one of ``before``.

        Raises:
            Conflict: another replica changed the Secret after this replica read ``before``.
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
                f"{where} holds no CA of this webhook ({error!r}); remove all keys from its data:"
                " the webhook then writes a CA"
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
