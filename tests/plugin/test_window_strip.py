"""The last windows as a row of blocks and as words."""

import io
import os
from typing import Any

import pytest

from plugin.commands.windows import strip_lines
from plugin.console import Console
from tests.plugin.rules import NOW, rule

FAILED = {"start": "2026-11-24T06:00:00Z", "end": "2026-11-24T07:00:00Z"}
RUNNING = {"start": "2026-11-24T08:00:00Z", "end": "2026-11-24T09:00:00Z", "operationId": "x"}


def live() -> dict[str, Any]:
    made = rule(
        schedule={"cursor": "2026-11-24T09:00:00Z", "failed": [FAILED], "inFlight": [RUNNING]}
    )
    made["metadata"]["creationTimestamp"] = "2026-11-24T05:30:00Z"
    return made


class Terminal(io.StringIO):
    """A terminal that can show blocks, or only ASCII."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


class Ascii(Terminal):
    encoding = "ascii"


def shown(out: io.StringIO, *, leads: bool = True) -> list[str]:
    return list(strip_lines(live(), NOW, Console(out, io.StringIO()), leads=leads))


def test_a_pipe_gets_words() -> None:
    (words,) = shown(io.StringIO())
    assert words == (
        "last 40 windows, oldest first: 1 failed, 1 running, 1 waiting, 3 done, 34 not covered"
    )
    assert "1 unknown" in shown(io.StringIO(), leads=False)[0]


def test_a_terminal_gets_a_block_for_each_window(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr("shutil.get_terminal_size", lambda: os.terminal_size((8, 24)))
    assert shown(Terminal())[0] == "··▆▆█▆▅▃"
    assert shown(Ascii())[0] == "--ddfdrw"
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "xterm")
    assert "\x1b[31m█\x1b[0m" in shown(Terminal())[0]


def test_a_rule_that_has_run_nothing_has_none() -> None:
    assert not list(strip_lines(rule(), NOW, Console(io.StringIO(), io.StringIO()), leads=True))
