"""A raw object, read where it can be read.

Admission sees an object before the schema has judged it: any part may be missing or of another
type. What cannot be read is None or empty here, for the stages that refuse to name. Used by
``defaulting`` and ``validation``.
"""

from collections.abc import Mapping
from typing import Any, Final

from pydantic import ValidationError

from summaryrule.api import validation_rules
from summaryrule.api.backfill_request import RequestIdentity, request_identity
from summaryrule.api.duration import Duration
from summaryrule.api.instant import Instant
from summaryrule.api.schema_validation import validate_schema
from summaryrule.api.v1 import SummaryRule

Json = dict[str, Any]
_NONE: Final = Duration(0)


def nested_dict(holder: Json, name: str) -> Json:
    """The object under ``name``; an empty one where there is none."""
    value = holder.get(name)
    return value if isinstance(value, dict) else {}


def annotations_of(rule: Json) -> Json:
    """The object's annotations."""
    metadata = rule.get("metadata")
    return nested_dict(metadata, "annotations") if isinstance(metadata, dict) else {}


def annotation_of(rule: Json, name: str) -> str | None:
    """One annotation."""
    value = annotations_of(rule).get(name)
    return value if isinstance(value, str) else None


def is_being_deleted(rule: Json) -> bool:
    """Whether the object is being deleted."""
    return bool(nested_dict(rule, "metadata").get("deletionTimestamp"))


def interval_of(spec: Json) -> Duration | None:
    """The interval, where the API takes it."""
    value = spec.get("interval")
    return validation_rules.read_interval(value) if isinstance(value, str) else None


def ingestion_delay_of(spec: Json) -> Duration:
    """The ingestion delay; zero where the API takes none or something else."""
    value = spec.get("ingestionDelay")
    return (validation_rules.read_delay(value) if isinstance(value, str) else None) or _NONE


def instant_of(backfill: Json, name: str) -> Instant | None:
    """A time of the backfill, where the API takes it."""
    value = backfill.get(name)
    return validation_rules.read_instant(value) if isinstance(value, str) else None


def request_of(backfill: Json, grid: Duration | None) -> RequestIdentity | None:
    """The request that the backfill stands for, where its start and the interval can be read."""
    start, identity = instant_of(backfill, "start"), backfill.get("requestId")
    if start is None or grid is None:
        return None
    return request_identity(start, grid, identity if isinstance(identity, str) else None)


# FROM summaryrule.reading
# """From an object as the API server gives it to a rule that can be planned."""


class MalformedError(ValueError):
    """The object cannot be read as a SummaryRule; the message says which field and why."""


def parse_rule(raw: Mapping[str, Any]) -> SummaryRule:
    """The rule in an object as the API server gives it.

    Raises:
        MalformedError: for an object that bypassed the CRD or stems from another version.
    """
    try:
        return SummaryRule.model_validate(raw)
    except ValidationError as error:
        found = [str(violation) for violation in validate_schema(raw)]
        told = found or [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
        raise MalformedError("; ".join(told)) from error
