"""One difference between two definitions: what it is, how bad, and for whom.

`breaking`  something that worked stops: a stored object can no longer be edited, data is dropped
            or stored differently, or a client's request fails.
`ratcheted` breaking for whoever creates or changes an object: values are refused that were taken. A
            stored value that stays as it is keeps working (ratcheting, since Kubernetes 1.33).
`safe`      whatever was admitted before is admitted still and stored the same.
"""

from dataclasses import dataclass
from typing import Final, Literal

Grade = Literal["breaking", "ratcheted", "safe"]
ORDER: Final[tuple[Grade, ...]] = ("breaking", "ratcheted", "safe")


@dataclass(frozen=True, slots=True)
class Change:
    """A difference; `rule` names its sort, `hits` says who notices, `waived` why it may pass."""

    rule: str
    path: str
    grade: Grade
    what: str
    why: str
    hits: str
    waived: str = ""


WRITERS: Final = "whoever applies such a manifest"
CREATORS: Final = "whoever creates or changes such an object; ratcheting spares stored values"
STORED: Final = "stored objects, at their next edit"
READERS: Final = "clients that read the field"
SCRIPTS: Final = "people and scripts that use the name"
NOBODY: Final = "nobody"


def breaking(rule: str, path: str, what: str, why: str, hits: str = STORED) -> Change:
    """A change that breaks."""
    return Change(rule, path, "breaking", what, why, hits)


def ratcheted(rule: str, path: str, what: str, why: str) -> Change:
    """A change that refuses new values and lets stored ones be."""
    return Change(rule, path, "ratcheted", what, why, CREATORS)


def safe(rule: str, path: str, what: str, why: str, hits: str = NOBODY) -> Change:
    """A change that refuses nothing."""
    return Change(rule, path, "safe", what, why, hits)
