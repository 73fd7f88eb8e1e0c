"""Mode ``self``: one pass of the certificate loop, safe to run on any number of replicas.

Order matters: the Secret first (what is agreed), then the configurations (what the API server
trusts), then the leaf (what we present), then readiness (whether the three fit).
"""

import random
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from webhook.certificates import rotation
from webhook.certificates.authority import new_authority, new_leaf, validity
from webhook.certificates.bundle import holds, is_same
from webhook.certificates.context import Serving
from webhook.certificates.injection import RESOURCES, Configuration, Configurations
from webhook.certificates.names import ServiceName
from webhook.certificates.rotation import Authorities, Lifetimes
from webhook.certificates.store import Store
from webhook.certificates.trust import GATE, distrust
from webhook.metrics import Metrics
from webhook.probes import ReadinessGates

_RENEWAL: Final = (0.60, 0.73)
"""Share of its life after which a leaf is replaced: two thirds, spread over the replicas."""


@dataclass(slots=True)
class Keeper:
    """Keeps the shared CA, this replica's leaf, and both caBundles in step."""

    store: Store
    configurations: Configurations
    serving: Serving
    name: ServiceName
    lifetimes: Lifetimes
    readiness: ReadinessGates
    metrics: Metrics
    _held: Authorities | None = None
    _signer: bytes = b""
    _renew_at: datetime | None = None

    @property
    def watch_paths(self) -> tuple[str, ...]:
        """What to watch to hear that a pass is needed."""
        return (self.store.watch_path, *self.configurations.watch_paths)

    async def run_once(self, now: datetime) -> datetime:
        """One pass; returns when the next is due if nothing happens before.

        Raises:
            ClusterError: when the API server cannot be asked, or another replica was faster.
            UnusableCertificateError: when what it holds cannot be served.
        """
        live = await self.configurations.read()
        held = await self._agree(now, live)
        live = await self.configurations.publish(
            live, lambda bundle: bundle if is_same(bundle, held.bundle) else held.bundle
        )
        self._present(held, now)
        self._report(held, live)
        return min(rotation.next_step(held, self.lifetimes), self._renew_at or now)

    async def _agree(self, now: datetime, live: list[Configuration]) -> Authorities:
        """Take what the Secret holds a step further where one is due.

        A Secret that was deleted or emptied gets back what this replica remembers, so that no
        leaf in service loses its CA.
        """
        stored = await self.store.read()
        held = stored.authorities or self._held
        wanted = rotation.advance(
            held,
            now=now,
            lifetimes=self.lifetimes,
            is_published=held is not None and _is_published(live, held.bundle),
            mint=lambda: new_authority(now, self.lifetimes.ca),
        )
        if wanted is not stored.authorities:
            await self.store.write(stored, wanted)
        self._held = wanted
        return wanted

    def _present(self, held: Authorities, now: datetime) -> None:
        """Serve a leaf by the current CA, made anew when it is due or the CA has changed."""
        due = self._renew_at is None or now >= self._renew_at
        if not due and self._signer == held.current.chain:
            return
        leaf = new_leaf(held.current, self.name.all, now, self.lifetimes.leaf)
        self.serving.swap(leaf, held.bundle, self.name.dialled)
        share = random.uniform(*_RENEWAL)  # noqa: S311 - a spread, not a secret
        self._renew_at = rotation.renewal(leaf.chain, share)
        self._signer = held.current.chain
        self.metrics.certificate_swaps.inc()

    def _report(self, held: Authorities, live: list[Configuration]) -> None:
        self.metrics.leaf_expiry.set(validity(self.serving.pair.chain)[1].timestamp())
        self.metrics.ca_expiry.set(validity(held.current.chain)[1].timestamp())
        reason = distrust(self.serving, live, self.name.dialled)
        self.metrics.bundle_in_sync.set(not reason)
        if reason:
            self.readiness.fail(GATE, reason)
        else:
            self.readiness.pass_(GATE)


def _is_published(live: list[Configuration], bundle: bytes) -> bool:
    return len(live) == len(RESOURCES) and all(
        holds(each, bundle) for configuration in live for each in configuration.bundles
    )
