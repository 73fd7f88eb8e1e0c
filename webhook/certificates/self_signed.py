"""Mode ``self``: the webhook makes its CA and its leaves; any number of replicas share the CA.

A pass reads and writes in this order: the Secret (what the replicas agree on), the webhook
configurations (what the API server trusts), the leaf (what this replica presents), readiness.
"""

from dataclasses import dataclass
from datetime import datetime

from webhook.certificates import ca_secret
from webhook.certificates.ca_bundle import (
    GATE,
    RESOURCES,
    WebhookConfiguration,
    WebhookConfigurations,
    verification_error,
)
from webhook.certificates.ca_secret import CASecret, CAState
from webhook.certificates.lifetimes import Lifetimes
from webhook.certificates.pki import (
    ServiceName,
    contains,
    equal,
    new_ca,
    new_leaf,
    renewal,
    validity,
)
from webhook.certificates.tls import ReloadableTLSContext
from webhook.metrics import Metrics
from webhook.probes import ReadinessGates


@dataclass(slots=True)
class SelfSignedCertificates:
    """Keeps the shared CA, this replica's leaf and both caBundles consistent."""

    secret: CASecret
    configurations: WebhookConfigurations
    tls: ReloadableTLSContext
    name: ServiceName
    lifetimes: Lifetimes
    gates: ReadinessGates
    metrics: Metrics
    _current: CAState | None = None
    _signer: bytes = b""
    _renew_at: datetime | None = None

    @property
    def watched(self) -> tuple[tuple[str, str], ...]:
        """What a pass reads: the path of a collection and a name, each."""
        return (self.secret.watched, *self.configurations.watched)

    async def run_once(self, now: datetime) -> datetime:
        """Run one pass; return when the next is due if no watch notifies before.

        Raises:
            OperatorError: when the API server does not answer, or another replica wrote first.
            UnusableCertificateError: when the Secret or the leaf cannot be used.
        """
        live = await self.configurations.read()
        state = await self._advance_rotation(now, live)
        live = await self.configurations.inject(
            live, lambda bundle: bundle if equal(bundle, state.bundle) else state.bundle
        )
        self._present(state, now)
        self._report(state, live)
        return min(ca_secret.next_step(state, self.lifetimes), self._renew_at or now)

    async def _advance_rotation(self, now: datetime, live: list[WebhookConfiguration]) -> CAState:
        """Take the next step of the CA's rotation if one is due; return the state after it.

        A Secret that was deleted or emptied is restored from memory, so that every served leaf
        keeps its CA.
        """
        stored = await self.secret.read()
        state = stored.state or self._current
        wanted = ca_secret.advance(
            state,
            now=now,
            lifetimes=self.lifetimes,
            is_published=state is not None and _is_published(live, state.bundle),
            create_ca=lambda: new_ca(now, self.lifetimes.ca),
        )
        if wanted is not stored.state:
            await self.secret.write(stored, wanted)
        self._current = wanted
        return wanted

    def _present(self, state: CAState, now: datetime) -> None:
        """Serve a new leaf by the current CA when one is due or the CA has changed."""
        due = self._renew_at is None or now >= self._renew_at
        if not due and self._signer == state.current.chain:
            return
        leaf = new_leaf(state.current, self.name.dns_names, now, self.lifetimes.leaf)
        self.tls.replace(leaf, state.bundle, self.name.dns_name)
        self._renew_at = renewal(leaf.chain, with_jitter=True)
        self._signer = state.current.chain
        self.metrics.certificate_swaps.inc()

    def _report(self, state: CAState, live: list[WebhookConfiguration]) -> None:
        self.metrics.leaf_expiry.set(validity(self.tls.pair.chain)[1].timestamp())
        self.metrics.ca_expiry.set(validity(state.current.chain)[1].timestamp())
        reason = verification_error(self.tls, live, self.name.dns_name)
        self.metrics.bundle_in_sync.set(not reason)
        self.gates.set(GATE, reason)


def _is_published(live: list[WebhookConfiguration], bundle: bytes) -> bool:
    return len(live) == len(RESOURCES) and all(
        contains(each, bundle) for configuration in live for each in configuration.bundles
    )
