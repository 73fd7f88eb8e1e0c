"""What docs/webhook.md shows, and what the code says to the same: read by `test_page`.

The page's clock stands at 2026-11-24T06:00:00Z. A YAML block is a part of a rule, laid over one
that is fine; the text block after it is what is said.
"""

import re
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import yaml

from runtime.cel import parse_error
from summaryrule.admission.manifest_review import ReviewResult, review_manifest
from summaryrule.admission.validation import review
from summaryrule.api.instant import Instant
from tests.docs.clock import TOLD, moved
from tests.webhook.reviews import NOW, WORKER, Json, rule

PAGE: Final = Path(__file__).parents[2] / "docs" / "webhook.md"
REFUSED: Final = "<!-- refused -->"
_BLOCK: Final = re.compile(
    r"^(?P<mark><!-- [^\n]+ -->)?\n```(?P<language>\w+)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Example:
    """A part of a rule, whether it is there to be refused, and what the page says is said."""

    part: Json
    is_refused: bool
    shown: str
    now: Instant

    @property
    def rule(self) -> Json:
        """The whole rule."""
        fine = rule()
        fine["metadata"]["name"] = "cpu"
        return _laid_over(fine, self.part)

    @property
    def said(self) -> str:
        """What the code says: the refusal, else the warnings, a line each."""
        verdict = review_manifest(
            None, self.rule, user="alice", worker=WORKER, now=self.now, parse_cel=parse_error
        )
        if verdict.allowed and self.shown.startswith("The "):
            return _unmutated(self.rule, self.now)
        text = str(verdict)
        return _text(text if self.is_refused else text.rpartition("\n")[0])


def examples(page: str, at: Instant = TOLD) -> list[Example]:
    """Every YAML block that a text block follows, as if the page were read on the day of `at`."""
    move = moved(at)
    now = Instant.parse(move(NOW))
    blocks = list(_BLOCK.finditer(move(page)))
    pairs = [
        (one, other)
        for one, other in pairwise(blocks)
        if (one["language"], other["language"]) == ("yaml", "text")
    ]
    return [
        Example(yaml.safe_load(one["text"]), one["mark"] == REFUSED, _text(other["text"]), now)
        for one, other in pairs
    ]


def _unmutated(new: Json, now: Instant) -> str:
    """What `/validate` says where `/mutate` was not reached."""
    found = review(None, new, user="alice", worker=WORKER, now=now, parse_cel=parse_error)
    return _text(
        str(
            ReviewResult(
                name="cpu", allowed=False, violations=found.violations, warnings=(), object=new
            )
        )
    )


def _text(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.splitlines())


def _laid_over(under: Mapping[str, Any], over: Mapping[str, Any]) -> Json:
    both = dict(deepcopy(under))
    for key, value in over.items():
        nested = isinstance(value, dict) and isinstance(both.get(key), dict)
        both[key] = _laid_over(both[key], value) if nested else value
    return both
