"""A raw object, read where it can be read.

Admission sees an object before the schema has judged it: any part may be missing or of another
type. What cannot be read is None or empty here, for the stages that refuse to name. Used by
``defaulting`` and ``validation``.
"""

from typing import Any, Final

from summaryrule import rules
from summaryrule.duration import Duration
from summaryrule.instant import Instant
from summaryrule.request import Ask, ask

Json = dict[str, Any]
_NONE: Final = Duration(0)


def part(holder: Json, name: str) -> Json:
    """The object under ``name``; an empty one where there is none."""
    value = holder.get(name)
    return value if isinstance(value, dict) else {}


def annotations(rule: Json) -> Json:
    """The object's annotations."""
    metadata = rule.get("metadata")
    return part(metadata, "annotations") if isinstance(metadata, dict) else {}


def annotation(rule: Json, name: str) -> str | None:
    """One annotation."""
    value = annotations(rule).get(name)
    return value if isinstance(value, str) else None


def is_leaving(rule: Json) -> bool:
    """Whether the object is being deleted."""
    return bool(part(rule, "metadata").get("deletionTimestamp"))


def interval(spec: Json) -> Duration | None:
    """The interval, where the API takes it."""
    value = spec.get("interval")
    return rules.read_interval(value) if isinstance(value, str) else None


def delay(spec: Json) -> Duration:
    """The ingestion delay; zero where the API takes none or something else."""
    value = spec.get("ingestionDelay")
    return (rules.read_delay(value) if isinstance(value, str) else None) or _NONE


def instant(backfill: Json, name: str) -> Instant | None:
    """A time of the backfill, where the API takes it."""
    value = backfill.get(name)
    return rules.read_instant(value) if isinstance(value, str) else None


def request(backfill: Json, grid: Duration | None) -> Ask | None:
    """The request that the backfill stands for, where its start and the interval can be read."""
    start, identity = instant(backfill, "start"), backfill.get("requestId")
    if start is None or grid is None:
        return None
    return ask(start, grid, identity if isinstance(identity, str) else None)
