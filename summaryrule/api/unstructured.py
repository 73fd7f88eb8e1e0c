"""Reads parts of a raw object that may be missing or have another type.

"Unstructured" is apimachinery's word for an object as plain JSON. What cannot be read is None or
empty here; the schema refuses it. This module imports neither Pydantic nor the models.
"""

from collections.abc import Mapping
from typing import Any, Final

from summaryrule.api import validation_rules
from summaryrule.api.duration import Duration
from summaryrule.api.instant import Instant

Json = dict[str, Any]
_ZERO: Final = Duration(0)


def nested_dict(holder: Mapping[str, Any], name: str) -> Json:
    """The object under ``name``; an empty one if there is none."""
    value = holder.get(name)
    return value if isinstance(value, dict) else {}


def nested_list(holder: Mapping[str, Any], name: str) -> list[Json]:
    """The objects in the list under ``name``, without items of other types."""
    value = holder.get(name)
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def as_str(value: object) -> str:
    """The value if it is a string, else an empty string."""
    return value if isinstance(value, str) else ""


def as_int(value: object) -> int:
    """The value if it is an integer of 0 or more, else 0."""
    return max(0, value) if isinstance(value, int) else 0


def as_instant(value: object) -> Instant | None:
    """The value as a time; None if the API would refuse it."""
    return validation_rules.read_instant(value) if isinstance(value, str) else None


def as_duration(value: object) -> Duration | None:
    """The value as a duration; None if the API would refuse it."""
    return validation_rules.read_duration(value) if isinstance(value, str) else None


def annotations_of(rule: Mapping[str, Any]) -> Json:
    """The object's annotations."""
    return nested_dict(nested_dict(rule, "metadata"), "annotations")


def annotation_of(rule: Mapping[str, Any], name: str) -> str | None:
    """One annotation; None if it is missing or not a string."""
    value = annotations_of(rule).get(name)
    return value if isinstance(value, str) else None


def is_being_deleted(rule: Mapping[str, Any]) -> bool:
    """Whether the object has a deletion timestamp."""
    return bool(nested_dict(rule, "metadata").get("deletionTimestamp"))


def interval_of(spec: Mapping[str, Any]) -> Duration | None:
    """The interval of a raw spec; None if it is missing or the API would refuse it."""
    value = spec.get("interval")
    return validation_rules.read_interval(value) if isinstance(value, str) else None


def ingestion_delay_of(spec: Mapping[str, Any]) -> Duration:
    """The ingestion delay of a raw spec; zero if it is missing or the API would refuse it."""
    value = spec.get("ingestionDelay")
    return (validation_rules.read_delay(value) if isinstance(value, str) else None) or _ZERO
