"""One record, one line, its fields named, no secret in it."""

import asyncio
import io
import json
import logging
from collections.abc import Iterator

import pytest

from runtime.logging import Format, configure, log_context

log = logging.getLogger("worker.test")


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    """The root logger, put back afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield root
    root.handlers[:], root.level = handlers, level


def written(style: Format) -> io.StringIO:
    stream = io.StringIO()
    configure(style, "DEBUG", stream)
    return stream


def test_json_lines_carry_what_they_are_about(root: logging.Logger) -> None:
    stream = written("json")
    with log_context(rule="default/errors", window=None), log_context(operation="op"):
        log.info("submitted %d", 3)
    line = json.loads(stream.getvalue())
    assert line["message"] == "submitted 3"
    assert (line["rule"], line["operation"]) == ("default/errors", "op")
    assert "window" not in line
    assert line["level"] == "info"
    assert line["time"].endswith("Z")


def test_logfmt_quotes_what_needs_it(root: logging.Logger) -> None:
    stream = written("logfmt")
    with log_context(rule="default/errors"):
        log.warning('said "no"\nand went')
    [line] = stream.getvalue().splitlines()
    assert 'message="said \\"no\\"\\nand went"' in line
    assert "rule=default/errors" in line


def test_an_exception_stays_on_its_line(root: logging.Logger) -> None:
    stream = written("json")
    try:
        int("client_secret=hunter2")
    except ValueError:
        log.exception("failed")
    [line] = stream.getvalue().splitlines()
    assert "ValueError" in json.loads(line)["error"]
    assert "hunter2" not in line


def test_secrets_are_removed_from_messages(root: logging.Logger) -> None:
    stream = written("logfmt")
    log.info("Authorization: Bearer %s", "abcdefghijklmnop")
    assert "abcdefghijklmnop" not in stream.getvalue()


async def test_each_task_has_its_own_fields(root: logging.Logger) -> None:
    stream = written("json")

    async def one(name: str) -> None:
        with log_context(rule=name):
            await asyncio.sleep(0)
            log.info("at work")

    await asyncio.gather(one("a"), one("b"))
    lines = [json.loads(line) for line in stream.getvalue().splitlines() if "at work" in line]
    assert [line["rule"] for line in lines] == ["a", "b"]
