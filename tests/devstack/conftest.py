from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.devstack.terminal import Terminal, processes_of


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    """Give a way to type devstack commands; whatever it starts must be gone at the end."""
    typed = Terminal(tmp_path / "state")
    yield typed
    typed.run("down")
    assert processes_of(typed.state) == []
