"""What a child process is: how to start it, and what is known of it while it runs.

`Child` is the order that a caller gives to the supervisor; `Process` is the line that
`devstack status` prints for it.
"""

import os
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

LEASH = Path(__file__).with_name("leash.py")

Health = Callable[[], Awaitable[bool]]
"""Asked about once a second. It answers within a second or two and raises nothing."""


async def always_healthy() -> bool:
    """Health of a child that has nothing to ask: it is well while it runs."""
    return True


@dataclass(frozen=True, slots=True)
class Child:
    """One process to keep.

    `env` is its whole environment. `grace` is the seconds between SIGTERM and SIGKILL.
    With `restart`, the supervisor starts it again whenever it ends, as a kubelet would.
    """

    name: str
    argv: Sequence[str]
    log: Path
    env: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    address: str = ""
    health: Health = always_healthy
    cwd: Path | None = None
    restart: bool = False
    grace: float = 10.0


@dataclass(frozen=True, slots=True)
class Process:
    """What `status -o json` prints: these six keys, in this order."""

    name: str
    pid: int | None
    address: str
    log: str
    healthy: bool
    restarts: int

    def as_json(self) -> dict[str, object]:
        """Give the six keys as JSON has them."""
        return asdict(self)


def leashed(argv: Sequence[str]) -> list[str]:
    """Give the command line that ties `argv` to the life of this process."""
    return [sys.executable, "-I", "-S", str(LEASH), str(os.getpid()), *argv]


def last_words(log: Path, lines: int = 1) -> str:
    """Give the last non-blank `lines` of a log, for a sentence that says why a child ended."""
    try:
        text = log.read_bytes()[-8192:].decode(errors="replace")
    except OSError:
        return ""
    return "\n".join([line.strip() for line in text.splitlines() if line.strip()][-lines:])
