"""How long certificates are valid, and when they are renewed: defaults, options, renewal."""

import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509

LIFETIME_OPTIONS: Final = (
    ("--leaf-lifetime", "168h", "of a served certificate, renewed at two thirds"),
    ("--ca-lifetime", "8760h", "of a CA; its successor is published at two thirds"),
    ("--ca-overlap", "5m", "from publishing a CA to using it"),
)
"""Options of ``webhook serve``, each with its default and its meaning."""
CLOCK_SKEW: Final = timedelta(minutes=5)
"""How far in the past a certificate begins, for machines whose clocks run behind; at most a
twentieth of its lifetime."""
_RENEWAL_SHARE: Final = 2 / 3
_RENEWAL_SHARES: Final = (0.60, 0.73)
"""The range of a share with jitter, so that replicas do not renew at the same moment."""


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """Lifetimes of a leaf and a CA; ``overlap`` is from publishing a CA to using it."""

    leaf: timedelta
    ca: timedelta
    overlap: timedelta


def validity(chain: bytes) -> tuple[datetime, datetime]:
    """Return when the first certificate of a PEM chain begins and ends (both UTC).

    Raises:
        ValueError: when there is none.
    """
    certificate = x509.load_pem_x509_certificate(chain)
    return certificate.not_valid_before_utc, certificate.not_valid_after_utc


def renewal(chain: bytes, *, with_jitter: bool = False) -> datetime:
    """Return when two thirds of a certificate's lifetime are over."""
    share = random.uniform(*_RENEWAL_SHARES) if with_jitter else _RENEWAL_SHARE  # noqa: S311 - jitter, not a secret
    begin, end = validity(chain)
    return begin + (end - begin) * share
