"""The state directory of one stack: its layout, its lock and its record.

Everything that a stack writes is below this directory (`.devstack/` in the checkout unless
`--state` names another), and `down` removes it. The supervisor holds a lock on it. The kernel drops
that lock with the process, so the lock tells a running stack from the remains of a crash.
"""

import contextlib
import fcntl
import json
import os
import shlex
import shutil
import sys
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from devstack.config import CHECKOUT
from devstack.errors import DevstackError

DEFAULT = CHECKOUT / ".devstack"
MARKER = "summaryrule-devstack"
LOCK_ATTEMPTS = 6


@dataclass(frozen=True, slots=True)
class StateDir:
    """The state directory at `root` (absolute)."""

    root: Path

    @property
    def lock_file(self) -> Path:
        """Locked by the supervisor while it runs."""
        return self.root / "lock"

    @property
    def record(self) -> Path:
        """The supervisor's status and that of its processes, as JSON."""
        return self.root / "state.json"

    @property
    def logs(self) -> Path:
        """One log per process, `<name>.log`, and the supervisor's own."""
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
        """Return the log file of the process `name`."""
        return self.logs / f"{name}.log"

    def command(self, name: str) -> str:
        """Return the command line for the command `name`: a make target for the default stack."""
        if self.root == DEFAULT:
            return f"make {name}"
        return f"python -m devstack {name} --state {shlex.quote(str(self.root))}"

    def eval_line(self) -> str:
        """Return the line that sets up a shell; it needs no uv and no activated environment."""
        if self.root == DEFAULT:
            return 'eval "$(make -s env)"'
        python, root = shlex.quote(sys.executable), shlex.quote(str(self.root))
        return f'eval "$({python} -m devstack env --state {root})"'

    def already_running(self) -> DevstackError:
        """Return the error of a second start in this directory."""
        return DevstackError(
            f"a stack runs in {self.root} already: `{self.command('status')}` shows it, "
            f"`{self.command('down')}` stops it, `python -m devstack up --state DIR` starts another"
        )

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the lock for a `with` block. Remove the remains of a crashed stack first.

        Raises:
            DevstackError: a stack runs here, the directory holds other files, or it cannot be
                written.
        """
        with contextlib.ExitStack() as held:
            try:
                self._require_own()
                self.root.mkdir(parents=True, exist_ok=True)
                file = held.enter_context(self.lock_file.open("wb"))
                self._acquire(file.fileno())
                self._create_layout()
            except OSError as error:
                raise DevstackError(
                    f"the state directory {self.root} cannot be written ({error.strerror}): "
                    "name another with --state DIR"
                ) from None
            yield

    def is_locked(self) -> bool:
        """Whether a supervisor runs in this directory."""
        try:
            with self.lock_file.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False

    def clear(self, keep: Collection[str] = ()) -> None:
        """Remove the contents of the directory except for the names in `keep`."""
        for entry in self.root.iterdir():
            if entry.name in keep:
                continue
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry, ignore_errors=True)
            else:
                entry.unlink(missing_ok=True)

    def remove(self) -> None:
        """Remove the directory and its contents, if it exists.

        Raises:
            DevstackError: the directory holds files that no stack has written.
        """
        if self.root.exists():
            self._require_own()
            shutil.rmtree(self.root, ignore_errors=True)

    def _require_own(self) -> None:
        names = {entry.name for entry in self.root.iterdir()} if self.root.exists() else set()
        if names - {self.lock_file.name} and MARKER not in names:
            raise DevstackError(
                f"{self.root} holds files that are not a stack's: name an empty or a new directory "
                "with --state DIR"
            )

    def _acquire(self, file: int) -> None:
        for attempt in range(LOCK_ATTEMPTS):
            try:
                return fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:  # a supervisor, or an `is_locked` call at this moment
                time.sleep(0.02 * attempt)
        raise self.already_running()

    def _create_layout(self) -> None:
        self.clear(keep={self.lock_file.name})
        self.root.chmod(0o700)
        (self.root / MARKER).write_text("made by python -m devstack; `down` removes it\n")
        for part in (self.logs, self.pki, self.bin):
            part.mkdir()

    def write_record(self, record: dict[str, object]) -> None:
        """Replace the record atomically: a reader sees the old one or the new one."""
        draft = self.record.with_suffix(".draft")
        draft.write_text(json.dumps(record, indent=1))
        os.replace(draft, self.record)  # noqa: PTH105 - its atomicity is the point

    def read_record(self) -> dict[str, object]:
        """Return the last record, empty when there is none."""
        try:
            record: dict[str, object] = json.loads(self.record.read_text())
        except FileNotFoundError:
            return {}
        return record
