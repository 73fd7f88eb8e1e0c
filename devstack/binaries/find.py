"""Finds etcd, kube-apiserver, kubectl, helm and the checkers.

The first place that has a tool is used:

1. `$KUBEBUILDER_ASSETS`, as envtest has it;
2. the cache, by version;
3. `setup-envtest`, when it is on PATH (it has no helm);
4. a build from the modules that `hack/tools/` pins.
"""

import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from devstack.binaries.build import build
from devstack.binaries.cache import Cache
from devstack.binaries.tools import TOOLS, Tool

ENVTEST_TIMEOUT = 20.0
"""Seconds for setup-envtest to find or fetch its binaries."""

Report = Callable[[str], None]


def resolve(report: Report, tools: Sequence[Tool] = TOOLS) -> dict[str, Path]:
    """Return the path of each tool; build what is missing and pass progress to `report`.

    Raises:
        DevstackError: a tool can neither be found nor built.
    """
    return find(tools, Cache.from_environment(), report)


def find(tools: Sequence[Tool], cache: Cache, report: Report) -> dict[str, Path]:
    """Return the path of each of `tools`, as `resolve` does, with the given cache."""
    found = _search(tools, [_kubebuilder_assets(), cache.path_of])
    if missing := [tool for tool in tools if tool.name not in found]:
        found |= _fetch_or_build(missing, cache, report)
    return {tool.name: found[tool.name].resolve() for tool in tools}


def _fetch_or_build(missing: Sequence[Tool], cache: Cache, report: Report) -> dict[str, Path]:
    found = _search(missing, [_envtest(missing, report)])
    rest = [tool for tool in missing if tool.name not in found]
    with cache.build_lock(lambda: report("another run builds the same binaries: waiting for it")):
        build(cache, rest)
    return found | {tool.name: cache.path_of(tool) for tool in rest}


Locator = Callable[[Tool], Path | None]


def _search(tools: Sequence[Tool], locators: Sequence[Locator]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for tool in tools:
        for locate in locators:
            path = locate(tool)
            if path is not None and os.access(path, os.X_OK):
                found.setdefault(tool.name, path)
    return found


def _kubebuilder_assets() -> Locator:
    directory = os.environ.get("KUBEBUILDER_ASSETS")
    return lambda tool: Path(directory) / tool.name if directory else None


def _envtest(missing: Sequence[Tool], report: Report) -> Locator:
    program = shutil.which("setup-envtest")
    wanted = next((tool.version[1:] for tool in missing if tool.name == "kube-apiserver"), None)
    directory = _ask_envtest(program, wanted, report) if program and wanted else None
    return lambda tool: directory / tool.name if directory else None


def _ask_envtest(program: str, version: str, report: Report) -> Path | None:
    try:
        done = subprocess.run(  # noqa: S603 - found on PATH
            [program, "use", version, "--print", "path"],
            capture_output=True,
            text=True,
            timeout=ENVTEST_TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        done = None
    if done is None or done.returncode:
        report(f"setup-envtest cannot give Kubernetes {version}: building it instead")
        return None
    return Path(done.stdout.strip())
