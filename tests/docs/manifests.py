"""What the YAML blocks of pages are: rules, parts of rules, values of the chart, other objects."""

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from summaryrule.api.instant import Instant
from tests.docs.blocks import ELSEWHERE, Block, blocks, pages
from tests.docs.clock import moved

Object = dict[str, Any]

# What a part of a rule is a part of.
WHOLE: Object = {
    "apiVersion": "adx-mon.azure.com/v1",
    "kind": "SummaryRule",
    "metadata": {"name": "part"},
    "spec": {
        "database": "Telemetry",
        "table": "HttpErrorRateHourly",
        "interval": "1h",
        "body": "HttpRequests | where Timestamp between (_startTime .. _endTime) | count",
    },
}

# A page writes START and END for times that its reader fills in.
_FILLED_IN = {'"START"': '"2026-11-16T00:00:00Z"', '"END"': '"2026-11-17T00:00:00Z"'}


@dataclass(frozen=True, slots=True)
class Manifest:
    """An object in a YAML block."""

    block: Block
    object: Object

    @property
    def is_rule(self) -> bool:
        """Whether it is a SummaryRule, or a part of one."""
        return self.object.get("kind") == "SummaryRule" or (
            "kind" not in self.object and bool({"spec", "metadata"} & self.object.keys())
        )

    @property
    def is_values(self) -> bool:
        """Whether it is a values file of the chart."""
        return "kind" not in self.object and not self.is_rule

    def rule(self, number: int) -> Object:
        """The whole rule, under a name that no other has."""
        whole = copy.deepcopy(self.object)
        if "kind" not in whole:
            whole = _laid_over(WHOLE, whole)
        whole["metadata"]["name"] += f"-{number}"
        return whole


def manifests(now: Instant) -> list[Manifest]:
    """Those of all pages that are not marked as not run, with times as far back from `now`."""
    ours = [page for page in pages() if page not in ELSEWHERE]
    return [each for page in ours for block in blocks(page) for each in _of(block, now)]


def _of(block: Block, now: Instant) -> Iterator[Manifest]:
    if block.language == "yaml" and block.why_not is None:
        text = block.text
        for placeholder, time in _FILLED_IN.items():
            text = text.replace(placeholder, time)
        for document in yaml.safe_load_all(moved(now)(text)):
            yield Manifest(block, document)


def _laid_over(under: Object, over: Object) -> Object:
    both = copy.deepcopy(under)
    for key, value in over.items():
        nested = isinstance(value, dict) and isinstance(both.get(key), dict)
        both[key] = _laid_over(both[key], value) if nested else value
    return both
