"""The cache of built binaries, by version. All checkouts of a user share it.

It is `$SUMMARYRULE_CACHE`, else `$XDG_CACHE_HOME/summaryrule`, else `~/.cache/summaryrule`.
"""

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from devstack.binaries.tools import Tool
from devstack.errors import DevstackError


@dataclass(frozen=True, slots=True)
class Cache:
    """The cache at `root`."""

    root: Path

    @classmethod
    def from_environment(cls) -> "Cache":
        """Return the cache that the environment names."""
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        return cls(Path(os.environ.get("SUMMARYRULE_CACHE") or Path(base) / "summaryrule"))

    def path_of(self, tool: Tool) -> Path:
        """Return the path of a built `tool`, whether it exists or not."""
        return self.root / "bin" / f"{tool.name}-{tool.version}" / tool.name

    @contextlib.contextmanager
    def build_lock(self, on_wait: Callable[[], None]) -> Iterator[None]:
        """Hold the build lock for a `with` block; call `on_wait` first if another run holds it.

        Raises:
            DevstackError: the cache cannot be written.
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            lock = (self.root / "build.lock").open("wb")
        except OSError as error:
            raise DevstackError(
                f"the cache {self.root} cannot be written ({error.strerror}): set "
                "SUMMARYRULE_CACHE to a directory that can"
            ) from None
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                on_wait()
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield
