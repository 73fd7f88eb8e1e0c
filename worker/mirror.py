"""The rules as last seen, and whether what was decided on one still stands.

``worker.reconcile`` decides on what the mirror holds and writes back into it; ``worker.execute``
asks it again before a submit leaves.
"""

from typing import Protocol

from worker.errors import Conflict
from worker.kube.store import Key, key_of
from worker.ports import Rule


class Mirror(Protocol):
    """The rules as last seen (``worker.kube.store.Store``)."""

    def get(self, key: Key) -> Rule | None:
        """The rule, or None; do not write into it."""
        ...

    def put(self, item: Rule) -> None:
        """Take it as a write's reply has it."""
        ...

    def remove(self, item: Rule) -> None:
        """It is gone."""
        ...


def require_current(mirror: Mirror, rule: Rule) -> None:
    """Raise ``Conflict`` where the rule is known to be gone, leaving, or edited since ``rule``.

    A deletion with a finalizer and every edit of spec count up ``metadata.generation``; a rule
    made anew under the name has another uid (Kubernetes API conventions, "Metadata").
    """
    seen, metadata = mirror.get(key_of(rule)), rule["metadata"]
    known = seen["metadata"] if seen is not None else {}
    is_same = known.get("uid") == metadata.get("uid")
    if not is_same or known.get("generation", 0) > metadata.get("generation", 0):
        raise Conflict("the rule was edited or deleted after its next step was decided")
