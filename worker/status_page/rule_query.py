"""The parameters of the view of all rules: which rules to show, in which order."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

Show = Literal["all", "backfill", "problem"]
Sort = Literal["problem", "name", "overdue"]
SHOWS: Final[tuple[Show, ...]] = ("all", "backfill", "problem")
SORTS: Final[tuple[Sort, ...]] = ("problem", "name", "overdue")
_MOST_PAGE_DIGITS: Final = 6


@dataclass(frozen=True, slots=True)
class RuleQuery:
    """Which rules to show, in which order, and which page of them (from 1).

    A rule matches if ``search`` is in its ``namespace/name``, ``database.table`` or problem, in
    upper or lower case, and if its other fields are equal to those given. ``label`` is ``key`` or
    ``key=value``. ``reason`` is the reason of the condition ``Ready``, or of a problem.
    """

    search: str = ""
    show: Show = "all"
    namespace: str = ""
    database: str = ""
    label: str = ""
    reason: str = ""
    sort: Sort = "problem"
    page: int = 1

    @classmethod
    def parse(cls, given: Mapping[str, str]) -> "RuleQuery":
        """Parse the parameters of a URL; invalid ones are ignored."""
        page = given.get("page", "1")
        is_number = page.isascii() and page.isdecimal() and len(page) <= _MOST_PAGE_DIGITS
        return cls(
            search=given.get("search", "").strip(),
            show=next((show for show in SHOWS if show == given.get("show")), "all"),
            namespace=given.get("namespace", ""),
            database=given.get("database", ""),
            label=given.get("label", "").strip(),
            reason=given.get("reason", ""),
            sort=next((sort for sort in SORTS if sort == given.get("sort")), "problem"),
            page=int(page) if is_number else 1,
        )
