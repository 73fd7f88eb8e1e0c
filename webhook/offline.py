"""``webhook review``: what the webhook would say and patch, with no cluster.

The same decisions as online, in the server's order: mutate, then the schema and CEL, then the
webhook's own validation. On a cluster the last stage is not reached when the one before refuses;
here both are judged, so that an author sees everything at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from summaryrule.admission.validation import schema
from summaryrule.api.field_errors import FieldError
from summaryrule.api.instant import Instant
from webhook.admission import GROUP, KIND, Policy, mutate, validate
from webhook.patch import apply
from webhook.review import API_VERSION, Request

Rule = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What would happen to one object; ``object`` is what would be stored."""

    name: str
    allowed: bool
    violations: tuple[FieldError, ...]
    warnings: tuple[str, ...]
    object: Rule

    def as_json(self) -> dict[str, Any]:
        """The stable output of ``-o json``."""
        return {
            "name": self.name,
            "allowed": self.allowed,
            "violations": [
                {"field": each.field, "reason": each.reason, "message": each.message}
                for each in self.violations
            ],
            "warnings": list(self.warnings),
            "object": self.object,
        }

    def __str__(self) -> str:
        warnings = [f"Warning: {each}" for each in self.warnings]
        if self.allowed:
            return "\n".join([*warnings, f"{KIND} {self.name!r} would be admitted"])
        head = f'The {KIND} "{self.name}" is invalid:'
        lines = [str(each) for each in self.violations]
        found = (
            [f"{head} {lines[0]}"] if len(lines) == 1 else [f"{head} ", *map("* {}".format, lines)]
        )
        return "\n".join([*warnings, *found])


def judge(old: Rule | None, new: Rule, *, user: str, policy: Policy, now: Instant) -> Verdict:
    """Run all stages on one object; ``old`` is what is stored, None for a create.

    An update keeps the stored status, as the server does for the main resource.
    """
    sent = new if old is None or "status" not in old else {**new, "status": old["status"]}
    defaulting, _ = mutate(_request(old, sent, user), policy, now)
    stored = apply(sent, defaulting.patch)
    validation, found = validate(_request(old, stored, user), policy, now)
    violations = tuple(dict.fromkeys((*schema(stored, old), *found)))
    warnings = tuple(dict.fromkeys((*defaulting.warnings, *validation.warnings)))
    return Verdict(_name(new), not violations, violations, warnings, stored)


def stored_for(rule: Rule, olds: Sequence[Rule]) -> Rule | None:
    """The stored object of ``rule``'s name and namespace among ``olds``."""
    return next((old for old in olds if _key(old) == _key(rule)), None)


def _request(old: Rule | None, new: Rule, user: str) -> Request:
    return Request(
        api_version=API_VERSION,
        uid="",
        operation="CREATE" if old is None else "UPDATE",
        subresource="",
        group=GROUP,
        kind=KIND,
        name=_name(new),
        namespace="",
        user=user,
        object=new,
        old=old,
    )


def _name(rule: Rule) -> str:
    return _key(rule)[1]


def _key(rule: Rule) -> tuple[str, str]:
    metadata = rule.get("metadata")
    holder = metadata if isinstance(metadata, dict) else {}
    return str(holder.get("namespace") or "default"), str(holder.get("name") or "")
