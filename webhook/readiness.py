"""Whether this replica should get requests, and why not.

The certificate loop and the drain write here; ``/readyz`` reads. A replica is ready when nothing
is missing.
"""

from dataclasses import dataclass, field


@dataclass(slots=True)
class Readiness:
    """What is still missing, by topic: ``certificate``, ``drain``."""

    missing: dict[str, str] = field(default_factory=dict)

    def wait_for(self, topic: str, reason: str) -> None:
        """Not ready until `settle` is called for the topic; the reason is one sentence."""
        self.missing[topic] = reason

    def settle(self, topic: str) -> None:
        """Nothing of this topic is missing any more."""
        self.missing.pop(topic, None)

    @property
    def is_ready(self) -> bool:
        """True when requests may come."""
        return not self.missing
