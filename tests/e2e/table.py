"""A table of commands and exactly what kubectl prints for each, asked side by side.

Some words carry the time at which the server judged, so a table is a function of that time: an
answer must be the one expected at a second between the first question and the last answer.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from summaryrule.api.instant import TICKS_PER_SECOND, Instant
from tests.e2e.fixtures import now
from tests.e2e.kubectl import Kubectl, Said, side_by_side

DRY = ("--dry-run=server",)
# What the server adds when a type is wrong: it judges no CEL then.
UNCHECKED = (
    "<nil>: Invalid value: null: some validation rules were not checked because the object was"
    " invalid; correct the existing errors to complete validation"
)


@dataclass(frozen=True, slots=True)
class Case:
    """A manifest for a command's standard input, and what is said of it."""

    words: tuple[str, ...]
    manifest: Mapping[str, Any] | str
    said: Said


Table = Callable[[Instant], Mapping[str, Case]]


@dataclass(frozen=True, slots=True)
class Answers:
    """What was said to each case of a table, and the seconds in which it was."""

    table: Table
    said: Mapping[str, Said]
    seconds: Sequence[Instant]

    @classmethod
    def of(cls, kubectl: Kubectl, table: Table) -> "Answers":
        before = now()
        asks = {
            name: partial(kubectl.feed, case.manifest, *case.words)
            for name, case in table(before).items()
        }
        said = side_by_side(asks)
        ticks = range(before.ticks, now().ticks + TICKS_PER_SECOND, TICKS_PER_SECOND)
        return cls(table, said, [*map(Instant, ticks)])

    def check(self, name: str) -> None:
        """Compare one case with what was expected in those seconds."""
        expected = [self.table(at)[name].said for at in self.seconds]
        said = self.said[name]
        assert _in_order(said) in map(_in_order, expected), f"\n{said}\nis not\n{expected[0]}"


def invalid(name: str, causes: Iterable[str]) -> tuple[str, ...]:
    """How kubectl prints a refusal: one cause in its line, several in a line each."""
    head, found = f'The SummaryRule "{name}" is invalid:', tuple(causes)
    return (f"{head} {found[0]}",) if len(found) == 1 else (f"{head} ", *map("* {}".format, found))


def _in_order(said: Said) -> tuple[object, ...]:
    """NB: kube-apiserver 1.37.2 gives the fields of a schema in an order of the moment."""
    return said.code, said.out, sorted(said.err, key=lambda line: (line[:2] == "* ", line))
