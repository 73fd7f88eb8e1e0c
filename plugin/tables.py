"""Tables that fit a terminal, and that say which of their columns do not. Pure: no I/O."""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

GAP: Final = "   "
MIN_LAST: Final = 12
"""Characters that the last column gets at least, before another column is left out for it."""

Paint = Callable[[str, str], str]
"""Colors a padded cell: takes the column's title and the text, returns the text."""


def table(
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    width: int | None = None,
    less_needed: Sequence[str] = (),
    paint: Paint | None = None,
) -> Iterator[str]:
    """The lines of a table: each column is as wide as its widest cell, without trailing blanks.

    A table that is wider than `width` leaves out columns: first those of `less_needed`, in their
    order, then the others from the right; the first column stays. A last line names them. A line
    that is still longer is cut and ends in an ellipsis. A `width` of None cuts nothing.
    """
    lines = [list(head), *([_printable(cell) for cell in row] for row in rows)]
    kept = list(range(len(head)))
    if width is not None:
        others = [title for title in head[:0:-1] if title not in less_needed]
        kept = _fit(lines, width, [*less_needed, *others])
    shown = [[line[column] for column in kept] for line in lines]
    yield from _draw(shown, width, paint)
    hidden = [title for column, title in enumerate(head) if column not in kept]
    if hidden:
        yield f"left out: {', '.join(hidden)}; -o wide shows all"


def needed_width(lines: Sequence[Sequence[str]]) -> int:
    """The width that the lines need, if the last column is cut to `MIN_LAST` characters."""
    *widths, last = _column_widths(lines)
    return sum(widths) + len(GAP) * len(widths) + min(last, MIN_LAST)


def _fit(lines: Sequence[Sequence[str]], width: int, order: Sequence[str]) -> list[int]:
    """The numbers of the columns that fit, if the others are left out in this order."""
    kept = list(range(len(lines[0])))
    for title in order:
        if needed_width([[line[column] for column in kept] for line in lines]) <= width:
            break
        kept.remove(lines[0].index(title))
    return kept


def _draw(lines: Sequence[Sequence[str]], width: int | None, paint: Paint | None) -> Iterator[str]:
    widths = _column_widths(lines)
    for number, line in enumerate(lines):
        cells, left = list[str](), width
        for title, cell, size in zip(lines[0], line, widths, strict=True):
            padded = cell.ljust(size)
            shown = padded if left is None else _cut(padded, cell, max(left, 0))
            left = None if left is None else left - len(padded) - len(GAP)
            cells.append(paint(title, shown) if paint is not None and number else shown)
        yield GAP.join(cells).rstrip()


def _column_widths(lines: Sequence[Sequence[str]]) -> list[int]:
    """The widest cell of each column."""
    return [max(map(len, column)) for column in zip(*lines, strict=True)]


def _cut(padded: str, cell: str, left: int) -> str:
    if len(cell) <= left:
        return padded[:left]
    return f"{cell[: left - 1].rstrip()}…" if left else ""


def _printable(cell: str) -> str:
    """One line without control characters, which could change the terminal."""
    return "".join(each if each.isprintable() else " " for each in cell)
