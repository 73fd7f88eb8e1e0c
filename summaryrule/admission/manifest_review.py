"""What admission would say about a manifest, without a cluster.

The stages are the API server's: mutate, then schema and CEL, then the webhook's validation. A
cluster does not reach the last stage when the one before refuses; here both run, so that one
review shows everything.
"""

import json
from dataclasses import asdict, dataclass
from typing import Any, Final

from summaryrule.admission.context import Json, ParseCel
from summaryrule.admission.defaulting import apply_defaults
from summaryrule.admission.validation import review
from summaryrule.api.constants import KIND
from summaryrule.api.field_errors import FieldError
from summaryrule.api.instant import Instant
from summaryrule.api.object_meta import display_name, validate_name
from summaryrule.api.ownership import Ownership, owner_of
from summaryrule.api.schema_validation import validate_schema

_ANNOTATIONS_LIMIT: Final = 262_144
"""Bytes of all annotations of an object (Kubernetes, TotalAnnotationSizeLimitB)."""
_OURS: Final = Ownership()


@dataclass(frozen=True, slots=True)
class ReviewResult:
    """The outcome for one object; ``object`` is the one that would be stored."""

    name: str
    allowed: bool
    violations: tuple[FieldError, ...]
    warnings: tuple[str, ...]
    object: Json

    def as_json(self) -> dict[str, Any]:
        """Return the outcome as JSON."""
        return {
            "name": self.name,
            "allowed": self.allowed,
            "violations": [asdict(each) for each in self.violations],
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


def review_manifest(
    old: Json | None,
    new: Json,
    *,
    user: str,
    worker: str,
    now: Instant,
    parse_cel: ParseCel,
    ownership: Ownership = _OURS,
) -> ReviewResult:
    """Run all stages on one object; ``old`` is the stored object, None for a create.

    An update keeps the stored status, as the API server does for the main resource. Only the schema
    applies to a rule of another owner.
    """
    if not ownership.is_for_us(new):
        of_schema = (*validate_name(new), *validate_schema(new, old))
        text = f"only the schema is checked: the rule belongs to {owner_of(new) or 'nobody'!r}"
        return ReviewResult(display_name(new), not of_schema, of_schema, (text,), new)
    sent = new if old is None or "status" not in old else {**new, "status": old["status"]}
    defaulted = apply_defaults(old, sent, user=user, worker=worker, now=now)
    stored = defaulted.object
    found = review(old, stored, user=user, worker=worker, now=now, parse_cel=parse_cel)
    of_schema = validate_schema(stored, old)
    violations = tuple(dict.fromkeys((*validate_name(new), *of_schema, *found.violations)))
    warnings = tuple(dict.fromkeys((*_size_warnings(new), *defaulted.warnings, *found.warnings)))
    return ReviewResult(display_name(new), not violations, violations, warnings, stored)


def _size_warnings(rule: Json) -> tuple[str, ...]:
    """What a client-side ``kubectl apply`` cannot store in its annotation."""
    size = len(json.dumps(rule, separators=(",", ":"), ensure_ascii=False).encode())
    if size <= _ANNOTATIONS_LIMIT:
        return ()
    text = (
        f"metadata.annotations: the object has {size:,} bytes, and kubectl apply copies it into an"
        f" annotation of at most {_ANNOTATIONS_LIMIT:,}; use kubectl apply --server-side"
    )
    return (text,)
