"""The state folder of one stack: what lies where, who may use it, what others may read.

Everything a stack writes is below one folder (`.devstack/` in the checkout unless `--state` says
otherwise), and `down` removes it. A lock that the supervisor holds tells a running stack from
the remains of a crash: the kernel drops it with the process.
"""

import contextlib
import fcntl
import json
import os
import shutil
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from devstack.errors import DevstackError

DEFAULT = Path(__file__).resolve().parent.parent / ".devstack"
MARK = "summaryrule-devstack"
LOCK_TRIES = 6


@dataclass(frozen=True, slots=True)
class Folder:
    """The state folder at `root` (absolute)."""

    root: Path

    @property
    def lock(self) -> Path:
        """Held by the supervisor while it lives."""
        return self.root / "lock"

    @property
    def record(self) -> Path:
        """What the supervisor says of itself and its children, as JSON."""
        return self.root / "state.json"

    @property
    def logs(self) -> Path:
        """One log a child, `<name>.log`, and the supervisor's own."""
        return self.root / "logs"

    @property
    def pki(self) -> Path:
        """Keys and certificates of this stack alone."""
        return self.root / "pki"

    @property
    def kubeconfig(self) -> Path:
        """The admin's kubeconfig."""
        return self.root / "kubeconfig"

    @property
    def bin(self) -> Path:
        """Links to this stack's kubectl, its plugin and its helm, for PATH."""
        return self.root / "bin"

    def log(self, name: str) -> Path:
        """Give the log of the child `name`."""
        return self.logs / f"{name}.log"

    @contextlib.contextmanager
    def claim(self) -> Iterator[None]:
        """Hold the lock for a `with` block, the folder emptied of a crashed stack's remains.

        Raises:
            DevstackError: a stack runs here, the folder holds what is not ours, or it cannot be
                written.
        """
        with contextlib.ExitStack() as held:
            try:
                self._check_ours()
                self.root.mkdir(parents=True, exist_ok=True)
                lock = held.enter_context(self.lock.open("wb"))
                self._lock(lock.fileno())
                self._lay()
            except OSError as error:
                raise DevstackError(
                    f"the state folder {self.root} cannot be written ({error.strerror}): "
                    "name another with --state DIR"
                ) from None
            yield

    def is_held(self) -> bool:
        """Whether a supervisor lives in this folder."""
        try:
            with self.lock.open("rb") as lock:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False

    def empty(self, keep: Collection[str] = ()) -> None:
        """Remove what is in the folder but for the names in `keep`."""
        for entry in self.root.iterdir():
            if entry.name in keep:
                continue
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry, ignore_errors=True)
            else:
                entry.unlink(missing_ok=True)

    def remove(self) -> None:
        """Remove the folder and all in it, if it is there.

        Raises:
            DevstackError: it holds what no stack has made.
        """
        if self.root.exists():
            self._check_ours()
            shutil.rmtree(self.root, ignore_errors=True)

    def _check_ours(self) -> None:
        names = {entry.name for entry in self.root.iterdir()} if self.root.exists() else set()
        if names - {self.lock.name} and MARK not in names:
            raise DevstackError(
                f"{self.root} holds files that are not a stack's: name an empty or a new folder "
                "with --state DIR"
            )

    def _lock(self, lock: int) -> None:
        for attempt in range(LOCK_TRIES):
            try:
                return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:  # a supervisor, or somebody who asks `is_held` just now
                time.sleep(0.02 * attempt)
        raise DevstackError(
            f"a stack runs in {self.root} already: "
            "`python -m devstack down` stops it, --state DIR starts another beside it"
        )

    def _lay(self) -> None:
        self.empty(keep={self.lock.name})
        self.root.chmod(0o700)
        (self.root / MARK).write_text("made by python -m devstack; `down` removes it\n")
        for part in (self.logs, self.pki, self.bin):
            part.mkdir()

    def write_record(self, record: dict[str, object]) -> None:
        """Replace the record in one step: a reader sees the old one or the new one."""
        draft = self.record.with_suffix(".draft")
        draft.write_text(json.dumps(record, indent=1))
        os.replace(draft, self.record)  # noqa: PTH105 - its atomicity is the point

    def read_record(self) -> dict[str, object]:
        """Give the record that was written last, empty when there is none."""
        try:
            record: dict[str, object] = json.loads(self.record.read_text())
        except FileNotFoundError:
            return {}
        return record
