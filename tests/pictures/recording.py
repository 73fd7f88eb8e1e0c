"""Records kubectl in a terminal, as an animated SVG: the screens of tmux, drawn by rich."""

import io
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from devstack.stack import Stack
from tests.tmux import terminal

COLUMNS: Final = 100
ROWS: Final = 36
"""The screen has more rows than the commands fill, so that nothing scrolls out of it."""
LIMIT: Final = 60.0
PIECE: Final = 32
"""Characters that are typed from one frame to the next."""
TYPED: Final = 0.2
READ: Final = 1.4
LAST: Final = 3.0
"""Seconds for which a frame is shown: while a command is typed, when it has ended, at the end."""
PROMPT: Final = "$"
THEME: Final = TerminalTheme(
    (22, 27, 34),
    (230, 237, 243),
    [
        (72, 79, 88),
        (255, 123, 114),
        (86, 211, 100),
        (227, 179, 65),
        (121, 192, 255),
        (210, 168, 255),
        (86, 212, 221),
        (230, 237, 243),
    ],
)
_PARTS: Final = (
    "{styles}\0{backgrounds}{matrix}\0{chrome}\0{width} {height}\0{terminal_x}, {terminal_y}"
)
"""What rich fills in for a screen, in the order of ``_draw``."""
_NOT_NEEDED: Final = re.compile(r'<text[^>]*>\n</text>| clip-path="[^"]*"')
_COLOR: Final = re.compile(r"\x1b\[[\d;]*m")


@dataclass(frozen=True, slots=True)
class Frame:
    """A screen with the escape sequences of its colors, and for how many seconds it is shown."""

    screen: str
    seconds: float


def record(stack: Stack, commands: Sequence[str]) -> Iterator[Frame]:
    """Type the commands in a shell on the stack, each when the one before has ended."""
    programs = (stack.kubectl.parent, Path(sys.executable).parent, "/usr/bin", "/bin")
    env = {
        **stack.env(),
        "PATH": ":".join(map(str, programs)),
        "LANG": "C.UTF-8",
        "PYTHONUTF8": "1",
    }
    with (
        tempfile.TemporaryDirectory(prefix="recording-") as folder,
        terminal(
            ["env", f"PS1={PROMPT} ", "bash", "--norc"], COLUMNS, ROWS, env, Path(folder)
        ) as run,
    ):

        def screen() -> str:
            return run("capture-pane", "-p", "-e")

        _until_prompt(screen)
        for command in commands:
            for at in range(0, len(command), PIECE):
                run("send-keys", "-l", "--", command[at : at + PIECE])
                time.sleep(0.2)
                yield Frame(screen(), TYPED)
            run("send-keys", "Enter")
            time.sleep(0.5)
            is_last = command == commands[-1]
            yield Frame(_until_prompt(screen), LAST if is_last else READ)


def _until_prompt(screen: Callable[[], str]) -> str:
    """The screen as soon as its last line is the prompt."""
    last = time.monotonic() + LIMIT
    while True:
        shown = screen()
        if _COLOR.sub("", shown).rstrip().rpartition("\n")[2] == PROMPT:
            return shown
        if time.monotonic() > last:
            raise TimeoutError(f"the command did not end within {LIMIT:.0f} s: {shown.strip()!r}")
        time.sleep(0.1)


def animation(frames: Sequence[Frame], title: str) -> str:
    """The frames as one SVG that repeats; it stands still where a person wants no motion."""
    total = sum(frame.seconds for frame in frames)
    rows = max(len(frame.screen.rstrip().split("\n")) for frame in frames)
    drawn = [_draw(each.screen, rows, f"f{number}", title) for number, each in enumerate(frames)]
    *_, chrome, size, place = drawn[-1]
    width, height = size.split()
    styles, groups, begins = list[str](), list[str](), 0.0
    for number, (frame, (style, text, *_)) in enumerate(zip(frames, drawn, strict=True)):
        first, end = (100 * each / total for each in (begins, begins + frame.seconds))
        begins += frame.seconds
        styles.append(style)
        styles.append(
            f"@keyframes k{number} {{ 0% {{ visibility: hidden }}"
            f" {first:.2f}% {{ visibility: visible }} {end:.2f}% {{ visibility: hidden }} }}"
            f" .k{number} {{ animation: k{number} {total:.2f}s step-end infinite }}"
        )
        groups.append(f'<g class="frame k{number}">{text}</g>')
    rules, shown = "\n".join(styles), "\n".join(groups)
    return f"""<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
text {{ font-family: ui-monospace, Menlo, Consolas, monospace; font-size: 20px; white-space: pre }}
.frame {{ visibility: hidden }} .frame:last-child {{ visibility: visible }}
{rules}
@media (prefers-reduced-motion: reduce) {{ .frame {{ animation: none }} }}
</style>
{chrome}
<g transform="translate({place})">
{shown}
</g>
</svg>
"""


def _draw(screen: str, rows: int, name: str, title: str) -> list[str]:
    """The styles, the text, the border, the size and the place of the text of a screen."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    lines = [*screen.rstrip("\n").split("\n"), *[""] * rows][:rows]
    console.print(Text.from_ansi("\n".join(lines)), highlight=False)
    svg = console.export_svg(title=title, theme=THEME, code_format=_PARTS, unique_id=name)
    return _NOT_NEEDED.sub("", svg).split("\0")
