from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.devstack.terminal import Terminal, processes_of


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    """Yield a terminal for devstack commands; what it started must have ended after the test."""
    made = Terminal(tmp_path / "state")
    yield made
    made.run("down")
    assert processes_of(made.state) == []
