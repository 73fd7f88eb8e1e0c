"""Who runs a rule: its owner annotations, which have the names and the meaning that adx-mon gives.

They are read from the raw object. A rule of another operator may hold what this operator cannot
parse, and is not touched for it. It imports the standard library only.

Source: https://github.com/Azure/adx-mon, pkg/crd/summaryrule/ownership.go.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from summaryrule.api.constants import DESIRED_OWNER_ANNOTATION, OPERATOR_NAME, OWNER_ANNOTATION
from summaryrule.api.unstructured import annotation_of

UNOWNED: Final = "has no owner, and such rules are not adopted"
"""Why a rule without an owner annotation is not ours."""


@dataclass(frozen=True, slots=True)
class Ownership:
    """Which rules this operator runs, besides those that name it as owner.

    Attributes:
        adopt_unowned: whether it runs rules without an owner annotation.
        adopt_owners: the other owners whose rules it makes its own.
    """

    adopt_unowned: bool = True
    adopt_owners: frozenset[str] = frozenset()

    def is_ours(self, rule: Mapping[str, Any]) -> bool:
        """Whether this operator runs the rule."""
        owner = owner_of(rule)
        return self.adopt_unowned if not owner else owner == OPERATOR_NAME

    def is_for_us(self, rule: Mapping[str, Any]) -> bool:
        """Whether this operator runs the rule, or makes it its own."""
        return self.is_ours(rule) or owner_of(rule) in self.adopt_owners


def owner_of(rule: Mapping[str, Any]) -> str:
    """The owner that the rule names; empty if it names none."""
    return annotation_of(rule, OWNER_ANNOTATION) or ""


def desired_owner_of(rule: Mapping[str, Any]) -> str:
    """The owner that the rule is to get; empty if it keeps its owner."""
    desired = annotation_of(rule, DESIRED_OWNER_ANNOTATION) or ""
    return "" if desired == owner_of(rule) else desired
