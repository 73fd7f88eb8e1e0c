"""Mode ``files``: a mounted key pair, from cert-manager or any Secret, reloaded on change.

The folder has ``tls.crt`` and ``tls.key``. If it has ``ca.crt``, this process keeps that CA in both
caBundles. If not, whoever issued the certificate does (cert-manager's cainjector, or a CA that the
API server trusts already).

A kubelet may need minutes to bring a new Secret to every replica. So a CA that is in a caBundle but
no longer in ``ca.crt`` stays there for a while: another replica may still use it.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from webhook.certificates.ca_bundle import (
    GATE,
    WebhookConfiguration,
    WebhookConfigurations,
    verification_error,
)
from webhook.certificates.pki import (
    KeyPair,
    ServiceName,
    certificates,
    equal,
    merge,
    validity,
)
from webhook.certificates.tls import ReloadableTLSContext
from webhook.errors import UnusableCertificateError
from webhook.metrics import Metrics
from webhook.probes import ReadinessGates

POLL_INTERVAL: Final = timedelta(seconds=5)
"""How often the folder is read; a kubelet renews a mounted Secret within a minute or two."""
SETTLE: Final = timedelta(seconds=5)
"""From a change of a caBundle to using it; every API server has read it by then."""
REMOVAL_GRACE: Final = timedelta(minutes=10)
"""How long a CA stays in a caBundle after it was removed from ``ca.crt``."""

_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(slots=True)
class MountedCertificates:
    """Serves the pair in ``folder`` and publishes its CA.

    ``configurations`` is None without an API server: then only the files count.
    """

    folder: Path
    configurations: WebhookConfigurations | None
    tls: ReloadableTLSContext
    name: ServiceName
    gates: ReadinessGates
    metrics: Metrics
    _missing_since: dict[bytes, datetime] = field(default_factory=dict)
    _published_at: datetime = _LONG_AGO
    _is_loaded: bool = False

    @property
    def watched(self) -> tuple[tuple[str, str], ...]:
        """What a pass reads: the path of a collection and a name, each."""
        return self.configurations.watched if self.configurations else ()

    async def run_once(self, now: datetime) -> datetime:
        """Run one pass; return when the next is due.

        Raises:
            UnusableCertificateError: when the files are missing or do not fit together.
            OperatorError: when the API server does not answer.
        """
        pair, ca = self._read()
        live = await self._publish(ca, now)
        is_new = pair != self.tls.pair
        if not self._is_loaded or (is_new and now >= self._published_at + SETTLE):
            self._present(pair, ca)
        reason = self._verification_error(live, ca)
        self.metrics.bundle_in_sync.set(not reason)
        self.gates.set(GATE, reason)
        return now + POLL_INTERVAL

    def _read(self) -> tuple[KeyPair, bytes]:
        try:
            pair = KeyPair(*((self.folder / name).read_bytes() for name in ("tls.crt", "tls.key")))
        except OSError as error:
            raise UnusableCertificateError(f"no certificate to serve: {error}") from error
        ca = self.folder / "ca.crt"
        return pair, ca.read_bytes() if ca.exists() else b""

    def _present(self, pair: KeyPair, ca: bytes) -> None:
        """Serve a new pair; without a ``ca.crt`` only its key is checked."""
        if ca:
            self.tls.replace(pair, ca, self.name.dns_name)
        else:
            self.tls.replace_unverified(pair)
        self._is_loaded = True
        self.metrics.certificate_swaps.inc()
        self.metrics.leaf_expiry.set(validity(pair.chain)[1].timestamp())
        if ca:
            self.metrics.ca_expiry.set(validity(ca)[1].timestamp())

    async def _publish(self, ca: bytes, now: datetime) -> list[WebhookConfiguration]:
        """Write ``ca`` into both caBundles, before a certificate by it is presented."""
        if self.configurations is None:
            return []
        live = await self.configurations.read()
        if not ca:
            return live
        wanted = await self.configurations.inject(
            live, lambda bundle: self._wanted(bundle, ca, now)
        )
        if wanted != live:
            self._published_at = now
        return wanted

    def _verification_error(self, live: list[WebhookConfiguration], ca: bytes) -> str:
        """Return why the API server would not trust the pair; empty when it would.

        With an empty caBundle it uses its own roots, which are unknown here.
        """
        uses_own_roots = live and not any(bundle for each in live for bundle in each.bundles)
        if self.configurations is None or (uses_own_roots and not ca):
            return ""
        return verification_error(self.tls, live, self.name.dns_name)

    def _wanted(self, bundle: bytes, ca: bytes, now: datetime) -> bytes:
        """Return ``bundle`` with ``ca``, without any CA missing for `REMOVAL_GRACE`."""
        ours, kept = certificates(ca), []
        for der, pem in certificates(bundle).items():
            since = self._missing_since.setdefault(der, now)
            if der not in ours and now < since + REMOVAL_GRACE:
                kept.append(pem)
        for der in ours:
            self._missing_since.pop(der, None)
        wanted = merge([ca, *kept])
        return bundle if equal(bundle, wanted) else wanted
