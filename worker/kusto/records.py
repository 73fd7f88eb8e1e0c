"""A row of ``.show operations`` as a value. Called by ``worker.kusto.commands``."""

import re
from typing import Any, Final

from summaryrule.api.duration import Duration
from summaryrule.api.instant import Instant, InvalidInstantError
from summaryrule.planner.types import Operation
from worker.kusto.sentences import format_error

_TIMESPAN: Final = re.compile(r"(?:(\d+)\.)?(\d+):(\d\d):(\d\d)(?:\.(\d{1,7}))?")


def parse_operation(row: dict[str, Any]) -> Operation:
    """The record; a time that is absent or unreadable is None, for it decides nothing."""
    return Operation(
        id=str(row["OperationId"]),
        state=str(row.get("State") or ""),
        status=format_error(str(row.get("Status") or "")),
        should_retry=_truth(row.get("ShouldRetry")),
        started=_instant(row.get("StartedOn")),
        updated=_instant(row.get("LastUpdatedOn")),
        duration=_timespan(row.get("Duration")),
    )


def _truth(value: Any) -> bool:  # noqa: ANN401 - v1 replies carry booleans as SByte, or text
    return value.strip().lower() in {"true", "1"} if isinstance(value, str) else bool(value)


def _instant(value: Any) -> Instant | None:  # noqa: ANN401 - JSON
    try:
        return Instant.parse(str(value))
    except InvalidInstantError:
        return None


def _timespan(value: Any) -> Duration | None:  # noqa: ANN401 - JSON
    """Kusto's ``[d.]hh:mm:ss[.fffffff]``."""
    match = _TIMESPAN.fullmatch(str(value))
    if match is None:
        return None
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups()[:4])
    whole = ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    return Duration(whole * 1_000_000_000 + int((match[5] or "").ljust(7, "0")) * 100)
