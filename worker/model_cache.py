"""Rules as models, each stored object read once. The reconcile loop and its status_metrics share one.

A look at a rule asks for its model several times, and most looks find the object of the look
before; reading takes longer than deciding.
"""

from collections import OrderedDict
from typing import Final

from summaryrule.api.schema_validation import MalformedError, parse_rule
from summaryrule.api.v1 import SummaryRule, SummaryRuleStatus
from worker.ports import RawRule

_REMEMBERED: Final = 64


class ModelCache:
    """Remembers the last objects by identity, which they keep while they are remembered."""

    def __init__(self) -> None:
        self._known: OrderedDict[int, tuple[RawRule, SummaryRule]] = OrderedDict()

    def parse(self, rule: RawRule) -> SummaryRule:
        """The model of an object that nobody writes into.

        Raises:
            MalformedError: as ``summaryrule.reading.read``.
        """
        found = self._known.get(id(rule))
        return found[1] if found is not None else self._remember(rule)

    def parse_or_none(self, rule: RawRule) -> SummaryRule | None:
        """The model of an object; None where it cannot be read."""
        try:
            return self.parse(rule)
        except MalformedError:
            return None

    def status(self, rule: RawRule) -> SummaryRuleStatus:
        """The object's status; an empty one where it has none or cannot be read."""
        known = self.parse_or_none(rule)
        return (known and known.status) or SummaryRuleStatus()

    def _remember(self, rule: RawRule) -> SummaryRule:
        answer = parse_rule(rule)
        self._known[id(rule)] = (rule, answer)
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return answer
