"""The machine-readable outputs that kubectl has: JSON, YAML, names. Pure."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from plugin.kubectl import Rule
from summaryrule.api.unstructured import as_str, nested_dict

FULL = "summaryrule.adx-mon.azure.com"


def dumped(value: Mapping[str, Any] | Sequence[Any], form: str) -> Iterator[str]:
    """`value` in the form asked for, `json` or `yaml`."""
    if form == "json":
        yield json.dumps(value, indent=2, ensure_ascii=False)
        return
    import yaml  # noqa: PLC0415 - a tenth of a second that the other forms need not wait for

    yield yaml.safe_dump(value, sort_keys=False, allow_unicode=True).rstrip("\n")


def name(rule: Rule) -> str:
    """What `kubectl -o name` prints for it."""
    return f"{FULL}/{as_str(nested_dict(rule, 'metadata').get('name'))}"
