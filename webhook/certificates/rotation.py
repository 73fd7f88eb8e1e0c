"""How the shared CA moves on: a pure function of what the Secret holds and the time.

    (nothing) ─► current ─► current + next ─► current + previous ─► current
                 2/3 of the     published and      the last leaf that
                 CA's life      settled            previous signed has ended

`keeper` writes each result back by compare-and-swap, so replicas agree whoever comes first.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from webhook.certificates.authority import validity
from webhook.certificates.bundle import joined
from webhook.certificates.context import Pair

_RENEWAL: Final = 2 / 3


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """How long things live. ``overlap`` is how long a CA is published before it is used."""

    leaf: timedelta
    ca: timedelta
    overlap: timedelta


@dataclass(frozen=True, slots=True)
class Authorities:
    """What the Secret holds. ``previous`` is a certificate only: its key is gone."""

    current: Pair
    next: Pair | None = None
    published_at: datetime | None = None
    previous: bytes = b""
    promoted_at: datetime | None = None

    @property
    def bundle(self) -> bytes:
        """What the API server is to trust: every CA whose leaf may be met now or soon."""
        following = self.next.chain if self.next else b""
        return joined((self.current.chain, following, self.previous))


def advance(
    held: Authorities | None,
    *,
    now: datetime,
    lifetimes: Lifetimes,
    is_published: bool,
    mint: Callable[[], Pair],
) -> Authorities:
    """One step of the table above, or ``held`` itself when nothing is due.

    ``is_published`` says that both configurations were read and carry ``held.bundle``; ``mint``
    makes a new CA.
    """
    if held is None or validity(held.current.chain)[1] <= now:
        return Authorities(mint())
    if held.next is not None:
        settled = is_published and now >= _settled_at(held, lifetimes)
        return _promoted(held, held.next, now) if settled else held
    if held.previous and now >= (held.promoted_at or now) + lifetimes.leaf:
        return replace(held, previous=b"", promoted_at=None)
    if not held.previous and now >= renewal(held.current.chain):
        return replace(held, next=mint(), published_at=now)
    return held


def renewal(chain: bytes, share: float = _RENEWAL) -> datetime:
    """When ``share`` of a certificate's life is over."""
    begin, end = validity(chain)
    return begin + (end - begin) * share


def next_step(held: Authorities, lifetimes: Lifetimes) -> datetime:
    """When `advance` may have something to do again."""
    if held.next is not None:
        return _settled_at(held, lifetimes)
    if held.previous and held.promoted_at is not None:
        return held.promoted_at + lifetimes.leaf
    return renewal(held.current.chain)


def _settled_at(held: Authorities, lifetimes: Lifetimes) -> datetime:
    published = held.published_at or validity(held.current.chain)[0]
    return published + lifetimes.overlap


def _promoted(held: Authorities, following: Pair, now: datetime) -> Authorities:
    return Authorities(current=following, previous=held.current.chain, promoted_at=now)
