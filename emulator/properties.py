"""The `with (name = value, …)` clause of the ingesting commands.

A property that this endpoint can honour or that means nothing on one machine is read; any other is
refused by name, since an ignored one would change the result silently. Source: Kusto docs, "Ingest
from query" and "Ingestion properties".
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from emulator.command_scanner import Scanner
from emulator.errors import KustoError, UnsupportedError


@dataclass(frozen=True)
class Properties:
    """The options of an append or an inline ingestion."""

    tags: tuple[str, ...] = ()
    ingest_if_not_exists: tuple[str, ...] = ()
    created_on: datetime | None = None
    extend_schema: bool = False
    recreate_schema: bool = False
    folder: str | None = None
    docstring: str | None = None
    format: str = "csv"
    ignore_first_record: bool = False


_MEANINGLESS: Final = frozenset(
    {"distributed", "policy_ingestiontime", "persistdetails", "validationpolicy", "zippattern"}
)


def read(scanner: Scanner) -> Properties:
    """The clause if one stands here, else the defaults; raises KustoError."""
    given: dict[str, Any] = {}
    if not scanner.accept("with"):
        return Properties()
    scanner.expect("(")
    while not scanner.punctuation(")"):
        name = scanner.value("a property name")
        scanner.expect("=")
        given |= _property(name, scanner.value(f"a value for '{name}'"))
        if not scanner.punctuation(","):
            scanner.expect(")")
            break
    return Properties(**given)


def _property(name: str, text: str) -> dict[str, Any]:
    key = name.lower()
    if key in _MEANINGLESS:
        return {}
    if key not in _READ:
        raise UnsupportedError(f"the ingestion property '{name}'")
    field, read_value = _READ[key]
    return {field: read_value(name, text)}


def _strings(name: str, text: str) -> tuple[str, ...]:
    try:
        items = json.loads(text)
    except ValueError:
        items = None
    if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
        raise KustoError(f"'{name}' takes a JSON list of strings, as '[\"a\"]', and got {text!r}.")
    return tuple(items)


def _flag(name: str, text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise KustoError(f"'{name}' takes true or false, and got {text!r}.")
    return text.lower() == "true"


def parse_moment(name: str, text: str) -> datetime:
    """The value of the property `name` as naive UTC; raises KustoError."""
    try:
        now = datetime.fromisoformat(text)
    except ValueError:
        raise KustoError(f"'{name}' takes an ISO 8601 time, and got {text!r}.") from None
    return now.astimezone(UTC).replace(tzinfo=None) if now.tzinfo else now


def _text(name: str, text: str) -> str:
    del name
    return text


_READ: Final[dict[str, tuple[str, Callable[[str, str], Any]]]] = {
    "creationtime": ("created_on", parse_moment),
    "docstring": ("docstring", _text),
    "extend_schema": ("extend_schema", _flag),
    "folder": ("folder", _text),
    "format": ("format", _text),
    "ignorefirstrecord": ("ignore_first_record", _flag),
    "ingestifnotexists": ("ingest_if_not_exists", _strings),
    "recreate_schema": ("recreate_schema", _flag),
    "tags": ("tags", _strings),
}
