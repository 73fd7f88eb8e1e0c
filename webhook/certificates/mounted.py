"""Mode ``files``: the pair is mounted, by cert-manager or from any Secret, and reloaded on change.

The folder has ``tls.crt`` and ``tls.key``. With ``ca.crt`` in it too, this process keeps it in
both caBundles; without, whoever made the certificate does (cert-manager's cainjector, or a CA that
the API server trusts anyway).

A kubelet may take minutes to bring a new Secret to every replica, so a CA that is live in a
caBundle but no longer in our ``ca.crt`` is left there for a while: another replica may serve by it.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from webhook.certificates.authority import validity
from webhook.certificates.bundle import certificates, is_same, joined
from webhook.certificates.context import Pair, Serving
from webhook.certificates.injection import Configuration, Configurations
from webhook.certificates.names import ServiceName
from webhook.certificates.trust import GATE, distrust
from webhook.errors import UnusableCertificateError
from webhook.metrics import Metrics
from webhook.probes import ReadinessGates

LOOK: Final = timedelta(seconds=5)
"""How often the folder is looked at; a kubelet renews a mounted Secret within a minute or two."""
SETTLE: Final = timedelta(seconds=5)
"""From a change of a caBundle to serving by it; every API server has read it by then."""
LINGER: Final = timedelta(minutes=10)
"""How long a CA stays in a caBundle after it has gone from ``ca.crt``."""

_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(slots=True)
class Mounted:
    """Serves the pair in ``folder`` and publishes its CA.

    ``configurations`` is None where there is no API server to ask: then only the files count.
    """

    folder: Path
    configurations: Configurations | None
    serving: Serving
    name: ServiceName
    readiness: ReadinessGates
    metrics: Metrics
    _gone_since: dict[bytes, datetime] = field(default_factory=dict)
    _published_at: datetime = _LONG_AGO
    _is_loaded: bool = False

    @property
    def watch_paths(self) -> tuple[str, ...]:
        """What to watch to hear that a pass is needed."""
        return self.configurations.watch_paths if self.configurations else ()

    async def run_once(self, now: datetime) -> datetime:
        """One pass; returns when the next is due.

        Raises:
            UnusableCertificateError: when the files are missing or do not fit together.
            ClusterError: when the API server cannot be asked.
        """
        pair, authority = self._read()
        live = await self._publish(authority, now)
        is_new = pair != self.serving.pair
        if not self._is_loaded or (is_new and now >= self._published_at + SETTLE):
            self._present(pair, authority)
        reason = self._distrust(live, authority)
        self.metrics.bundle_in_sync.set(not reason)
        if reason:
            self.readiness.fail(GATE, reason)
        else:
            self.readiness.pass_(GATE)
        return now + LOOK

    def _read(self) -> tuple[Pair, bytes]:
        try:
            pair = Pair(*((self.folder / name).read_bytes() for name in ("tls.crt", "tls.key")))
        except OSError as error:
            raise UnusableCertificateError(f"no certificate to serve: {error}") from error
        authority = self.folder / "ca.crt"
        return pair, authority.read_bytes() if authority.exists() else b""

    def _present(self, pair: Pair, authority: bytes) -> None:
        """Take a new pair into service; without a ``ca.crt`` only pair and key are checked."""
        if authority:
            self.serving.swap(pair, authority, self.name.dialled)
        else:
            self.serving.swap_unverified(pair)
        self._is_loaded = True
        self.metrics.certificate_swaps.inc()
        self.metrics.leaf_expiry.set(validity(pair.chain)[1].timestamp())
        if authority:
            self.metrics.ca_expiry.set(validity(authority)[1].timestamp())

    async def _publish(self, authority: bytes, now: datetime) -> list[Configuration]:
        """Bring ``authority`` into both caBundles, before anything it signed is presented."""
        if self.configurations is None:
            return []
        live = await self.configurations.read()
        if not authority:
            return live
        wanted = await self.configurations.publish(
            live, lambda bundle: self._wanted(bundle, authority, now)
        )
        if wanted != live:
            self._published_at = now
        return wanted

    def _distrust(self, live: list[Configuration], authority: bytes) -> str:
        """Why the API server would not trust us, as far as can be seen from here.

        An empty caBundle makes it use its own roots, which cannot be seen.
        """
        by_own_roots = live and not any(bundle for each in live for bundle in each.bundles)
        if self.configurations is None or (by_own_roots and not authority):
            return ""
        return distrust(self.serving, live, self.name.dialled)

    def _wanted(self, bundle: bytes, authority: bytes, now: datetime) -> bytes:
        """``bundle`` with ``authority``, without what has lingered long enough."""
        ours, kept = certificates(authority), []
        for der, pem in certificates(bundle).items():
            since = self._gone_since.setdefault(der, now)
            if der not in ours and now < since + LINGER:
                kept.append(pem)
        for der in ours:
            self._gone_since.pop(der, None)
        wanted = joined([authority, *kept])
        return bundle if is_same(bundle, wanted) else wanted
