"""Finds etcd, kube-apiserver, kubectl, helm and the checkers, each at the first place with it.

1. `$KUBEBUILDER_ASSETS`, as envtest has it;
2. our cache, by version;
3. `setup-envtest`, when it is on PATH (it knows no helm);
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

ENVTEST_WITHIN = 20.0
"""Seconds for setup-envtest to find or fetch its store."""

Report = Callable[[str], None]


def resolve(report: Report, tools: Sequence[Tool] = TOOLS) -> dict[str, Path]:
    """Give each tool's path, building what is missing; `report` gets a line when that is so.

    Raises:
        DevstackError: one can neither be found nor built.
    """
    return find(tools, Cache.from_environment(), report)


def find(tools: Sequence[Tool], cache: Cache, report: Report) -> dict[str, Path]:
    """Give the path of each of `tools`, as `resolve` does."""
    found = _look(tools, [_assets(), cache.place])
    if missing := [tool for tool in tools if tool.name not in found]:
        found |= _fetch(missing, cache, report)
    return {tool.name: found[tool.name].resolve() for tool in tools}


def _fetch(missing: Sequence[Tool], cache: Cache, report: Report) -> dict[str, Path]:
    found = _look(missing, [_envtest(missing, report)])
    rest = [tool for tool in missing if tool.name not in found]
    with cache.building(lambda: report("another run builds the same binaries: waiting for it")):
        build(cache, rest)
    return found | {tool.name: cache.place(tool) for tool in rest}


Place = Callable[[Tool], Path | None]


def _look(tools: Sequence[Tool], places: Sequence[Place]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for tool in tools:
        for place in places:
            path = place(tool)
            if path is not None and os.access(path, os.X_OK):
                found.setdefault(tool.name, path)
    return found


def _assets() -> Place:
    folder = os.environ.get("KUBEBUILDER_ASSETS")
    return lambda tool: Path(folder) / tool.name if folder else None


def _envtest(missing: Sequence[Tool], report: Report) -> Place:
    program = shutil.which("setup-envtest")
    wanted = next((tool.version[1:] for tool in missing if tool.name == "kube-apiserver"), None)
    folder = _ask(program, wanted, report) if program and wanted else None
    return lambda tool: folder / tool.name if folder else None


def _ask(program: str, version: str, report: Report) -> Path | None:
    try:
        said = subprocess.run(  # noqa: S603 - found on PATH
            [program, "use", version, "--print", "path"],
            capture_output=True,
            text=True,
            timeout=ENVTEST_WITHIN,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        said = None
    if said is None or said.returncode:
        report(f"setup-envtest cannot give Kubernetes {version}: building it instead")
        return None
    return Path(said.stdout.strip())
