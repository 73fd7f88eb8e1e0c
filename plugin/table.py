"""Columns with spaces between, as kubectl prints them. Pure."""

from collections.abc import Iterator, Sequence

GAP = "   "


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """The lines: each column as wide as its widest cell, nothing behind the last."""
    lines = [list(head), *([_flat(cell) for cell in row] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    for line in lines:
        padded = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        yield GAP.join(padded).rstrip()


def _flat(cell: str) -> str:
    """One line, with nothing in it that could steer a terminal."""
    return "".join(each if each.isprintable() else " " for each in cell)
