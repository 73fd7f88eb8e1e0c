"""Whether a rule runs in this cluster: its criteria and the cluster labels, as in adx-mon.

The CEL evaluator is an argument, so that this package needs no CEL library.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from summaryrule.api.v1 import SummaryRuleSpec

Evaluate = Callable[[str, Mapping[str, str]], bool]
"""Evaluates a CEL expression over string variables; raises ``ExpressionError``."""

_IDENTIFIER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_BOUNDS: Final = frozenset({"startTime", "endTime"})


class ExpressionError(ValueError):
    """The expression does not compile, uses an unknown label, or its result is not a bool."""


@dataclass(frozen=True, slots=True)
class CriteriaResult:
    """Whether the rule runs here, and why; the reasons are adx-mon's."""

    proceed: bool
    reason: str
    message: str


def evaluate_criteria(
    spec: SummaryRuleSpec, labels: Mapping[str, str], evaluate: Evaluate
) -> CriteriaResult:
    """Whether a worker with these labels runs the rule: criteria and expression must both match."""
    if not spec.criteria and not spec.criteria_expression:
        return CriteriaResult(True, "CriteriaMatched", "no criteria specified (default allow)")  # noqa: FBT003
    if spec.criteria and not any_key_matches(spec.criteria, labels):
        return CriteriaResult(False, "CriteriaNotMatched", "no criteria matched the cluster labels")  # noqa: FBT003
    if not spec.criteria_expression:
        return CriteriaResult(True, "CriteriaMatched", "criteria matched the cluster labels")  # noqa: FBT003
    try:
        is_met = evaluate(spec.criteria_expression, labels)
    except ExpressionError as error:
        message = f"criteria expression error: {error}"
        return CriteriaResult(False, "CriteriaExpressionError", message)  # noqa: FBT003
    outcome = "true" if is_met else "false"
    reason = "CriteriaMatched" if is_met else "CriteriaNotMatched"
    return CriteriaResult(is_met, reason, f"criteria expression evaluated to {outcome}")


def any_key_matches(criteria: Mapping[str, Iterable[str]], labels: Mapping[str, str]) -> bool:
    """Whether the list of any key contains the label of that name, in upper or lower case."""
    lowered = {key.lower(): value.lower() for key, value in labels.items()}
    return any(
        lowered.get(key.lower()) in {value.lower() for value in values}
        for key, values in criteria.items()
    )


def label_error(labels: Mapping[str, str]) -> str | None:
    """Why these cluster labels cannot be KQL variables; None if they can."""
    seen: dict[str, str] = {}
    for key in labels:
        bare = key.removeprefix("_")
        if _IDENTIFIER.fullmatch(key) is None:
            return f"label {key!r} is no identifier: write letters, digits and '_' only"
        if bare in _BOUNDS:
            return f"label {key!r} would replace the window's bounds: choose another name"
        if bare in seen:
            return f"labels {seen[bare]!r} and {key!r} are the same variable _{bare}: drop one"
        seen[bare] = key
    return None
