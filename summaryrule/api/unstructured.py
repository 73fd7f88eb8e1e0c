"""Reads parts of a raw object that may be missing or of another type.

"Unstructured" is apimachinery's word for an object as plain JSON. What cannot be read is None or
empty here; refusing it is the job of the schema. Imports neither Pydantic nor the models.
"""

from collections.abc import Mapping
from typing import Any, Final

from summaryrule.api import validation_rules
from summaryrule.api.duration import Duration
from summaryrule.api.instant import Instant

Json = dict[str, Any]
_ZERO: Final = Duration(0)


def nested_dict(holder: Mapping[str, Any], name: str) -> Json:
    """The object under ``name``; an empty one where there is none."""
    value = holder.get(name)
    return value if isinstance(value, dict) else {}


def nested_list(holder: Mapping[str, Any], name: str) -> list[Json]:
    """The objects in the list under ``name``; other items are left out."""
    value = holder.get(name)
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def as_str(value: object) -> str:
    """A string; an empty one for anything else."""
    return value if isinstance(value, str) else ""


def as_int(value: object) -> int:
    """A number of 0 or more; 0 for anything else."""
    return max(0, value) if isinstance(value, int) else 0


def as_instant(value: object) -> Instant | None:
    """A time as the API accepts it; None for anything else."""
    return validation_rules.read_instant(value) if isinstance(value, str) else None


def as_duration(value: object) -> Duration | None:
    """A Go duration as the API accepts it; None for anything else."""
    return validation_rules.read_duration(value) if isinstance(value, str) else None


def annotations_of(rule: Mapping[str, Any]) -> Json:
    """The object's annotations."""
    return nested_dict(nested_dict(rule, "metadata"), "annotations")


def annotation_of(rule: Mapping[str, Any], name: str) -> str | None:
    """One annotation; None where it is missing or no string."""
    value = annotations_of(rule).get(name)
    return value if isinstance(value, str) else None


def is_being_deleted(rule: Mapping[str, Any]) -> bool:
    """Whether the object has a deletion timestamp."""
    return bool(nested_dict(rule, "metadata").get("deletionTimestamp"))


def interval_of(spec: Mapping[str, Any]) -> Duration | None:
    """The interval of at least a minute, as the API accepts it; None for anything else."""
    value = spec.get("interval")
    return validation_rules.read_interval(value) if isinstance(value, str) else None


def ingestion_delay_of(spec: Mapping[str, Any]) -> Duration:
    """The ingestion delay; zero where it is missing or not one that the API accepts."""
    value = spec.get("ingestionDelay")
    return (validation_rules.read_delay(value) if isinstance(value, str) else None) or _ZERO
