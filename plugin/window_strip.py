"""The last windows of a rule as a row of blocks, one for each window, and as words.

The heights differ, so that the states can be told apart without color.
"""

from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from typing import Final

from plugin.console import Color, Console
from plugin.formatting import plural
from plugin.kubectl import Rule
from summaryrule.api.instant import Instant
from summaryrule.api.timeline import lanes, strip

BLOCKS: Final[dict[str, tuple[str, str, Color | None]]] = {
    "f": ("█", "failed", "red"),
    "r": ("▅", "running", "yellow"),
    "w": ("▃", "waiting", None),
    "s": ("▂", "skipped", "yellow"),
    "n": ("▂", "not run", None),
    "d": ("▆", "done", "green"),
    "-": ("·", "not covered", None),
}
"""For each letter of a strip: its block, what it means, and its color."""
COUNT: Final = 40
"""The windows of a strip; fewer on a terminal of fewer columns."""


def strip_lines(rule: Rule, now: Instant, console: Console, *, leads: bool) -> Iterator[str]:
    """The row of blocks, on a terminal only, and the words; none without a valid interval.

    ``leads`` is whether a worker leads: without one, nobody knows whether an operation runs.
    """
    letters = strip(lanes(rule, now), now, min(COUNT, console.width or COUNT))
    if not letters.strip("-"):
        return
    if console.width is not None:
        yield "".join(_blocks(letters, console))
    counts = Counter(letters)
    running = "running" if leads else "unknown"
    words = (
        f"{counts[letter]} {running if letter == 'r' else name}"
        for letter, (_, name, _) in BLOCKS.items()
        if counts[letter]
    )
    yield f"last {plural(len(letters), 'window')}, oldest first: {', '.join(words)}"


def _blocks(letters: str, console: Console) -> Iterator[str]:
    for letter, same in groupby(letters):
        block, _, color = BLOCKS[letter]
        text = (letter if console.plain else block) * len(list(same))
        yield console.paint(text, color)
