"""Runs tests under conditions in which machines differ, one after the other.

    make test-conditions                                             all conditions
    make test-conditions CONDITIONS='home proxy' TESTS=tests/plugin  these, with these tests
    python3 hack/ci/conditions.py --list                             what there is

A condition changes the environment, runs `hack/tools/uv run --locked pytest` in it, and then looks
at the traps that it has laid: programs and addresses that no test may use. Without TESTS it runs
the tests that it can affect. A condition that this machine cannot give is skipped, with the reason.
Exit code 1: a condition failed; the output of its tests is in the file that is named.
"""

import argparse
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CACHES = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
CACHE = Path(os.environ.get("SUMMARYRULE_CACHE") or CACHES / "summaryrule")
TOOLS = ("uv", "kubectl", "helm", "go", "etcd")
# What the cache has of them. The tests may use the uv and the Go that they find, no other.
CACHED = {"uv": "uv-*/bin/uv", "go": "go-*/go/bin/go"}
TOO_OLD = {"uv": "uv 0.4.30", "go": "go1.19.4"}
CLOSED = "http://127.0.0.1:9"  # "discard": nothing listens there
NOBODY = 65534

AROUND = ["tests/image", "tests/devstack", "tests/docs", "tests/chart", "tests/plugin"]
SERVERS = [*AROUND, "tests/webhook", "tests/worker", "tests/emulator", "tests/e2e"]
TEXTS = ["tests/docs", "tests/plugin", "tests/crdgen", "tests/emulator", "tests/chart"]
PURE = [*TEXTS, "tests/webhook", "tests/api", "tests/admission", "tests/planner", "tests/runtime"]
# The clock of programs in Go, such as the API server, cannot be moved.
NO_GO = ["-m", "not e2e and not proof", "-k", "not real"]


class SkippedError(Exception):
    """This machine cannot give the condition; the message says why."""


@dataclass
class Setting:
    """What a condition changes, and what its traps must not have caught."""

    scratch: Path
    env: dict[str, str]
    root: Path = ROOT
    user: int | None = None
    wrapper: list[str] = field(default_factory=list)
    traps: list[Path] = field(default_factory=list)

    def path(self) -> list[Path]:
        """PATH as folders."""
        return [Path(each) for each in self.env["PATH"].split(os.pathsep)]

    def program(self, name: str, script: str) -> None:
        """Put a shell script before everything on PATH."""
        folder = self.scratch / "first"
        if not folder.exists():
            folder.mkdir()
            self.env["PATH"] = os.pathsep.join([str(folder), self.env["PATH"]])
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)

    def trap(self, name: str) -> Path:
        """Give a file that stays empty unless something is caught."""
        made = self.scratch / f"caught-{name}"
        made.touch()
        made.chmod(0o666)
        self.traps.append(made)
        return made


def absent(names: Sequence[str], setting: Setting) -> None:
    """None of these programs is on PATH."""
    shown = setting.scratch / "path"
    shown.mkdir()
    for folder in reversed(setting.path()):
        for program in folder.iterdir() if folder.is_dir() else ():
            (shown / program.name).unlink(missing_ok=True)
            if program.name not in names:
                (shown / program.name).symlink_to(program)
    setting.env["PATH"] = str(shown)


def present(names: Sequence[str], setting: Setting) -> None:
    """These programs are on PATH; those that the tests may not take from there are traps."""
    for name in names:
        if name in CACHED:
            found = shutil.which(name) or next(map(str, sorted(CACHE.glob(CACHED[name]))), None)
            if found is None:
                raise SkippedError(f"there is no {name} here to put on PATH")
            setting.program(name, f'exec {found} "$@"')
        else:
            setting.program(name, f'echo "$0 $*" >>{setting.trap(name)}; exit 1')


def too_old(setting: Setting) -> None:
    """The uv and the Go on PATH are too old to be of use."""
    for name, said in TOO_OLD.items():
        said_when = f"case $* in *version|*GOVERSION) echo {said};; *) exit 2;; esac"
        setting.program(name, said_when)


def uv_in_python(setting: Setting) -> None:
    """The interpreter itself has the pinned uv, by pip."""
    prefix, copy = Path(sys.base_prefix), setting.scratch / "python"
    if prefix in {Path("/usr"), Path("/usr/local")}:
        raise SkippedError(f"a Python that lies in {prefix} cannot be copied alone")
    shutil.copytree(prefix, copy, symlinks=True)
    python = str(copy / "bin" / "python3")
    words = (ROOT / "hack/image/uv.txt").read_text().split()
    [pinned] = [word for word in words if word.startswith("uv==") and words[-1] != word][-1:]
    subprocess.run([python, "-m", "pip", "install", "--quiet", pinned], check=True)
    setting.env |= {"UV_PYTHON": python, "UV_PROJECT_ENVIRONMENT": str(setting.scratch / "venv")}


def home(setting: Setting) -> None:
    """HOME has a kubeconfig, whose server must not be dialled."""
    folder = setting.scratch / "home" / ".kube"
    folder.mkdir(parents=True)
    _write_kubeconfig(folder / "config", setting)
    kept = {"SUMMARYRULE_CACHE": CACHE, "UV_CACHE_DIR": CACHES / "uv"}
    kept = {name: path for name, path in kept.items() if name not in setting.env}
    setting.env |= {"HOME": str(folder.parent), **{name: str(kept[name]) for name in kept}}


def kubeconfig(setting: Setting) -> None:
    """KUBECONFIG names a cluster that must not be dialled."""
    _write_kubeconfig(setting.scratch / "kubeconfig", setting)
    setting.env["KUBECONFIG"] = str(setting.scratch / "kubeconfig")


def _write_kubeconfig(path: Path, setting: Setting) -> None:
    """Its credentials come from a program, which every client runs before it dials."""
    caught = setting.trap("kubeconfig")
    words = ["/bin/sh", "-c", f"echo {path} >>{caught}; exit 1"]
    run = {"apiVersion": "client.authentication.k8s.io/v1", "command": words[0], "args": words[1:]}
    user = {"exec": {**run, "interactiveMode": "Never"}}
    path.write_text(
        f"""\
apiVersion: v1
kind: Config
current-context: trap
contexts: [{{name: trap, context: {{cluster: trap, user: trap}}}}]
clusters: [{{name: trap, cluster: {{server: "{CLOSED}"}}}}]
users: [{{name: trap, user: {user}}}]
"""
    )


def proxy(setting: Setting) -> None:
    """A proxy is named that nothing listens at, for all but the package index of uv.lock."""
    words = (ROOT / "uv.lock").read_text().split('"')
    hosts = {word.split("/")[2] for word in words if word.startswith("https://")}
    both = {"HTTP_PROXY": CLOSED, "HTTPS_PROXY": CLOSED, "NO_PROXY": ",".join(sorted(hosts))}
    setting.env |= both | {name.lower(): value for name, value in both.items()}


def variables(setting: Setting, **values: str) -> None:
    """Some environment variables are set."""
    setting.env |= values


def german(charset: str, setting: Setting) -> None:
    """The language is German, in a character set."""
    name = f"de_DE.{charset}"
    made = ["localedef", "-i", "de_DE", "-f", charset, str(setting.scratch / name)]
    if not shutil.which(made[0]) or subprocess.run(made, check=False).returncode:
        raise SkippedError("localedef cannot make it here")
    setting.env |= {"LOCPATH": str(setting.scratch), "LC_ALL": name, "LANGUAGE": "de"}


def in_background(setting: Setting) -> None:
    """SIGINT is ignored, as in a background job of a shell."""
    setting.wrapper = ["/bin/sh", "-c", 'trap "" INT; exec "$@"', "sh"]


def not_root(setting: Setting) -> None:
    """The user is not root, and has a clone, a home and caches of their own."""
    if os.getuid() != 0:
        return
    home = setting.scratch / "home"
    setting.root = home / "checkout"
    subprocess.run(["git", "clone", "--quiet", "--local", ROOT, setting.root], check=True)
    for name in _git("ls-files", "--modified", "--others", "--exclude-standard"):
        if (ROOT / name).exists():
            (setting.root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, setting.root / name)
    for part in (*CACHE.glob("bin"), *CACHE.glob("uv-*"), *CACHE.glob("go-*")):
        shutil.copytree(part, home / ".cache/summaryrule" / part.name, symlinks=True)
    subprocess.run(["chown", "-R", f"{NOBODY}:{NOBODY}", home], check=True)
    setting.scratch.chmod(0o755)
    setting.user = NOBODY
    python = sys.executable if _may_run(sys.executable) else "/usr/bin/python3"
    setting.env |= {"HOME": str(home), "USER": "nobody", "TMPDIR": str(home), "UV_PYTHON": python}
    setting.env["PATH"] = os.pathsep.join(str(each) for each in setting.path() if _may_run(each))


def _git(*words: str) -> list[str]:
    done = subprocess.run(["git", *words, "-z"], cwd=ROOT, capture_output=True, check=True)
    return [name for name in done.stdout.decode().split("\0") if name]


def _may_run(path: str | Path) -> bool:
    asked = ["test", "-x", str(path)]
    return subprocess.run(asked, user=NOBODY, group=NOBODY, check=False).returncode == 0


def day(when: Callable[[datetime], datetime], setting: Setting) -> None:
    """It is another day."""
    library, compiler, now = setting.scratch / "clock.so", shutil.which("cc"), datetime.now(UTC)
    if compiler is None:
        raise SkippedError("there is no cc")
    source = Path(__file__).with_name("clock.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source], check=True)
    ahead = round((when(now) - now).total_seconds())
    setting.env |= {"LD_PRELOAD": str(library), "CLOCK_AHEAD": str(ahead)}


def in_days(days: int, now: datetime) -> datetime:
    """Give the same time of a later day."""
    return now + timedelta(days=days)


def before_midnight(month: int, of_month: int, now: datetime) -> datetime:
    """Give the last half minute of the next such day after this year."""
    for year in range(now.year + 1, now.year + 9):
        try:
            return datetime(year, month, of_month, 23, 59, 30, tzinfo=UTC)
        except ValueError:
            continue
    raise SkippedError("there is no such day")


CONDITIONS: dict[str, tuple[Callable[[Setting], None], list[str]]] = {
    "as-it-is": (lambda _: None, AROUND),
    "tools-absent": (partial(absent, TOOLS), AROUND),
    "tools-present": (partial(present, TOOLS), AROUND),
    **{f"{tool}-absent": (partial(absent, [tool]), AROUND) for tool in TOOLS},
    **{f"{tool}-present": (partial(present, [tool]), AROUND) for tool in TOOLS},
    "tools-too-old": (too_old, AROUND),
    "uv-in-python": (uv_in_python, ["tests/image"]),
    "home": (home, SERVERS),
    "kubeconfig": (kubeconfig, SERVERS),
    "proxy": (proxy, SERVERS),
    "locale-c": (lambda setting: variables(setting, LC_ALL="C", LANG="C"), TEXTS),
    "locale-posix": (lambda setting: variables(setting, LC_ALL="POSIX", LANG="POSIX"), TEXTS),
    "locale-missing": (lambda setting: variables(setting, LC_ALL="xx_XX.UTF-8"), TEXTS),
    "locale-german": (partial(german, "UTF-8"), TEXTS),
    "locale-latin-1": (partial(german, "ISO-8859-1"), TEXTS),
    "zone-kolkata": (lambda setting: variables(setting, TZ="Asia/Kolkata"), SERVERS),
    "zone-new-york": (lambda setting: variables(setting, TZ="America/New_York"), SERVERS),
    "in-background": (in_background, ["tests/devstack"]),
    "not-root": (not_root, SERVERS),
    **{
        f"in-{days}-days": (partial(day, partial(in_days, days)), [*PURE, *NO_GO])
        for days in (1, 4, 31, 61, 366)
    },
    "end-of-month": (partial(day, partial(before_midnight, 4, 30)), [*PURE, *NO_GO]),
    "end-of-year": (partial(day, partial(before_midnight, 12, 31)), [*PURE, *NO_GO]),
    "leap-day": (partial(day, partial(before_midnight, 2, 29)), [*PURE, *NO_GO]),
}


def run(name: str, tests: list[str]) -> bool:
    """Run one condition and print how it ended; whether that was well."""
    apply, own = CONDITIONS[name]
    began, log = (
        time.monotonic(),
        Path(tempfile.gettempdir(), f"condition-{name}-{os.getpid()}.log"),
    )
    with tempfile.TemporaryDirectory(prefix=f"condition-{name}-") as scratch:
        setting = Setting(Path(scratch), _environment())
        try:
            apply(setting)
        except SkippedError as reason:
            print(f"{name}: skipped: {reason}", flush=True)
            return True
        command = [
            *setting.wrapper,
            "hack/tools/uv",
            "run",
            "--locked",
            "--quiet",
            "pytest",
            *(tests or own),
        ]
        with log.open("wb") as output:
            code = subprocess.run(
                command if tests or "-m" in own else [*command, "-m", "not proof"],
                cwd=setting.root, env=setting.env, user=setting.user, group=setting.user,
                extra_groups=None if setting.user is None else [],
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, check=False,
            ).returncode  # fmt: skip
        caught = "".join(trap.read_text() for trap in setting.traps)
    lines = log.read_text(errors="replace").strip().splitlines() or ["(nothing)"]
    # A library may write after pytest's summary, when the process ends.
    last = next((line for line in reversed(lines) if re.search(r" in \d+\.\d+s", line)), lines[-1])
    verdict = "failed" if code else "used what it must not" if caught else "passed"
    print(f"{name}: {verdict} after {time.monotonic() - began:.0f} s: {last} ({log})", flush=True)
    print(caught, end="", flush=True)
    return not (code or caught)


def _environment() -> dict[str, str]:
    """This process's, without what make and uv add to it."""
    theirs = ("MAKE", "MFLAGS", "VIRTUAL_ENV", "UV_RUN_", "PYTEST_")
    return {name: text for name, text in os.environ.items() if not name.startswith(theirs)}


def main() -> int:
    """Run the conditions that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("conditions", nargs="*", metavar="CONDITION", choices=[*CONDITIONS, []])
    parser.add_argument("--tests", default="", help="what pytest is given, as one word")
    parser.add_argument("--list", action="store_true", help="list the conditions and their tests")
    asked = parser.parse_args()
    if asked.list:
        for name, (_, tests) in CONDITIONS.items():
            print(f"{name:16} {shlex.join(tests)}")
        return 0
    verdicts = [run(name, shlex.split(asked.tests)) for name in asked.conditions or CONDITIONS]
    return 0 if all(verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
