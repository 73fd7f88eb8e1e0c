"""How long the webhook's own certificates are valid: the options of ``webhook serve``."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """Lifetimes of a leaf and a CA; ``overlap`` is from publishing a CA to using it."""

    leaf: timedelta
    ca: timedelta
    overlap: timedelta


LIFETIME_OPTIONS: Final = (
    ("--leaf-lifetime", "168h", "lifetime of a server certificate; it is renewed after two thirds"),
    ("--ca-lifetime", "8760h", "lifetime of a CA; the next CA is published after two thirds"),
    ("--ca-overlap", "5m", "time from the publication of a CA to its use"),
)
"""Options of ``webhook serve``, each with its default and its meaning."""
