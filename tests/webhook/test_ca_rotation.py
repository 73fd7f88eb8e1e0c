"""The CA's way through its stages, in virtual time, by any number of replicas."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from cryptography import x509
from cryptography.x509 import DNSName
from cryptography.x509.verification import PolicyBuilder, Store

from tests.docs.clock import READ
from webhook.certificates.ca_secret import CAState, advance, next_step
from webhook.certificates.lifetimes import Lifetimes
from webhook.certificates.pki import (
    KeyPair,
    certificates,
    equal,
    merge,
    new_ca,
    new_leaf,
    placeholder,
    renewal,
    validity,
)
from webhook.certificates.tls import ReloadableTLSContext
from webhook.errors import UnusableCertificateError

START = datetime(2026, 11, 24, 6, tzinfo=UTC)
HOUR = timedelta(hours=1)
LIFETIMES = Lifetimes(leaf=10 * HOUR, ca=100 * HOUR, overlap=HOUR)
NAMES = ("w.ns.svc",)


def step(held: CAState | None, now: datetime, *, is_published: bool = True) -> CAState:
    create_ca: Callable[[], KeyPair] = partial(new_ca, now, LIFETIMES.ca)
    return advance(
        held, now=now, lifetimes=LIFETIMES, is_published=is_published, create_ca=create_ca
    )


def is_trusted(leaf: KeyPair, bundle: bytes, now: datetime) -> bool:
    store = Store(x509.load_pem_x509_certificates(bundle))
    verifier = PolicyBuilder().store(store).time(now).build_server_verifier(DNSName(NAMES[0]))
    verifier.verify(x509.load_pem_x509_certificate(leaf.chain), [])
    return True


def test_the_first_replica_makes_the_ca_and_the_others_take_it() -> None:
    held = step(None, START)
    assert step(held, START + HOUR) is held
    assert equal(held.bundle, held.current.chain)


def test_a_ca_is_followed_published_promoted_and_dropped_in_that_order() -> None:
    first = step(None, START)
    due = next_step(first, LIFETIMES)
    assert step(first, due - timedelta(seconds=1)) is first

    published = step(first, due)
    assert published.current == first.current
    assert published.next is not None
    assert (
        certificates(published.bundle).keys()
        == certificates(first.bundle + published.next.chain).keys()
    )

    settled = next_step(published, LIFETIMES)
    assert settled == due + LIFETIMES.overlap
    assert step(published, settled - timedelta(seconds=1)) is published
    assert step(published, settled, is_published=False) is published

    promoted = step(published, settled)
    assert promoted.current == published.next
    assert promoted.previous == first.current.chain
    assert equal(promoted.bundle, published.bundle)

    gone = next_step(promoted, LIFETIMES)
    assert gone == settled + LIFETIMES.leaf
    assert step(promoted, gone - timedelta(seconds=1)) is promoted
    assert step(promoted, gone).bundle == promoted.current.chain


def test_every_leaf_verifies_by_every_bundle_that_is_live_during_its_life() -> None:
    """For 400 hours: a leaf of any hour, by the bundle of the hour before and until its end.

    The hour before stands for an API server that has not read the newest bundle yet.
    """
    held = step(None, START)
    bundles: list[bytes] = [held.bundle]
    leaves: list[tuple[int, KeyPair]] = []
    for hour in range(400):
        now = START + hour * HOUR
        held = step(held, now)
        leaves.append((hour, new_leaf(held.current, NAMES, now, LIFETIMES.leaf)))
        bundles.append(held.bundle)
        for signed, leaf in leaves[-10:]:
            known = bundles[-2] if signed == hour else held.bundle
            assert is_trusted(leaf, known, now)


def test_an_expired_ca_is_replaced_at_once() -> None:
    held = step(None, START)
    late = step(held, START + 101 * HOUR)
    assert late.current != held.current
    assert late.next is None


def test_a_leaf_never_outlives_its_ca() -> None:
    authority = new_ca(START, HOUR)
    leaf = new_leaf(authority, NAMES, START, 10 * HOUR)
    assert validity(leaf.chain)[1] == validity(authority.chain)[1]
    assert validity(leaf.chain)[0] < START < renewal(leaf.chain) < validity(leaf.chain)[1]


@pytest.mark.parametrize("at", READ)
def test_a_leaf_of_any_day_is_trusted_from_its_making_to_its_end(at: str) -> None:
    now = datetime.fromisoformat(READ[at].to_seconds())
    authority = new_ca(now, timedelta(days=365))
    leaf = new_leaf(authority, NAMES, now, timedelta(days=7))
    for when in (now, validity(leaf.chain)[1] - timedelta(seconds=1)):
        assert is_trusted(leaf, authority.chain, when)


@pytest.mark.parametrize("lifetime", [timedelta(seconds=30), HOUR, timedelta(days=7)])
def test_a_leaf_is_renewed_when_two_thirds_of_its_life_are_over(lifetime: timedelta) -> None:
    leaf = new_leaf(new_ca(START, 1000 * HOUR), NAMES, START, lifetime)
    assert 0.64 < (renewal(leaf.chain) - START) / lifetime < 0.67


def test_bundles_are_compared_as_sets_of_certificates() -> None:
    one, two = (new_ca(START, HOUR).chain for _ in range(2))
    assert equal(one + two, b"text\r\n" + two.replace(b"\n", b"\r\n") + one + one)
    assert merge((one, two, one)) == one + two
    assert not certificates(b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----")


class TestSwap:
    """A swap happens whole or not at all."""

    now = datetime.now(UTC)
    authority = new_ca(now, HOUR)
    leaf = new_leaf(authority, NAMES, now, HOUR)

    @pytest.mark.parametrize(
        ("pair", "bundle", "said"),
        [
            (KeyPair(leaf.chain, authority.key), authority.chain, "do not match"),
            (leaf, new_ca(now, HOUR).chain, "unable to get local issuer"),
            (leaf, b"", "unable to get local issuer"),
            (leaf, b"junk", "not trusted"),
            (new_leaf(authority, ("other.svc",), now, HOUR), authority.chain, "mismatch"),
            (new_leaf(authority, NAMES, now - 5 * HOUR, HOUR), authority.chain, "expired"),
            (new_leaf(authority, NAMES, now + HOUR, HOUR / 2), authority.chain, "not yet valid"),
            (replace(leaf, chain=b"x"), authority.chain, "do not match"),
        ],
    )
    def test_what_a_client_would_refuse_is_not_taken(
        self, pair: KeyPair, bundle: bytes, said: str
    ) -> None:
        serving = ReloadableTLSContext(self.leaf)
        with pytest.raises(UnusableCertificateError, match=said):
            serving.replace(pair, bundle, NAMES[0])
        assert serving.pair == self.leaf
        serving.verify(self.authority.chain, NAMES[0])

    def test_what_a_client_would_take_is_presented(self) -> None:
        serving = ReloadableTLSContext(placeholder(NAMES, self.now))
        serving.replace(self.leaf, self.authority.chain, NAMES[0])
        serving.verify(self.authority.chain, NAMES[0])
