"""Builds missing binaries from the pinned Go modules, into the cache.

Go's build cache and the source of the modules need about 10 GB. They are in a directory of their
own, which is kept when a build is interrupted (the next build continues with it) and removed when
every binary is built.
"""

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from devstack.binaries import golang, progress
from devstack.binaries.cache import Cache
from devstack.binaries.tools import Tool
from devstack.errors import DevstackError

SPACE_NEEDED_GB = 11
"""Free at the start. Measured with Go 1.26: the stack's four tools need 8 GB of build cache and 1.5
GB of source, the chart's checkers 0.5 GB more."""

DISK_FULL = "no space left on device"
NETWORK_ERRORS = (
    "dial tcp",
    "no such host",
    "TLS handshake",
    "i/o timeout",
    "connection re",
    "proxyconnect",
)


def build(cache: Cache, tools: Sequence[Tool]) -> None:
    """Build each of `tools` that is not in the cache.

    Raises:
        DevstackError: there is no Go, no disk space or no network, or the compiler failed.
    """
    missing = [tool for tool in tools if not cache.path_of(tool).is_file()]
    if not missing:
        return
    scratch = cache.root / "build"
    _require_space(cache.root, scratch)
    go = golang.find(cache, max(tool.needs_go for tool in missing))
    try:
        scratch.mkdir(exist_ok=True)
        for tool in missing:
            _build_one(cache, tool, go, scratch)
    except OSError as error:
        raise DevstackError(_explain_failure(missing[-1], str(error).lower(), cache.root)) from None
    shutil.rmtree(scratch, ignore_errors=True)


def _build_one(cache: Cache, tool: Tool, go: Path, scratch: Path) -> None:
    path = cache.path_of(tool)
    draft = scratch / tool.name
    tags = ",".join(tool.tags)
    argv = [str(go), "build", "-mod=readonly", "-trimpath", f"-tags={tags}"]
    argv += ["-ldflags", tool.flags()]
    what = f"{tool.name} {tool.version} (built once, then cached)"
    code, output = progress.run(
        what, [*argv, "-o", str(draft), tool.package], _environment(go, scratch), tool.directory
    )
    if code:
        raise DevstackError(_explain_failure(tool, output, cache.root))
    path.parent.mkdir(parents=True, exist_ok=True)
    draft.replace(path)


def _environment(go: Path, scratch: Path) -> Mapping[str, str]:
    return {
        **os.environ,
        "PATH": os.pathsep.join([str(go.parent), os.environ.get("PATH", os.defpath)]),
        "CGO_ENABLED": "0",
        "GOFLAGS": "-buildvcs=false -modcacherw",
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
        "GOCACHE": str(scratch / "cache"),
        "GOMODCACHE": str(scratch / "modules"),
        "GOTMPDIR": str(scratch),
    }


def _require_space(root: Path, scratch: Path) -> None:
    free = shutil.disk_usage(root).free / 1e9
    if free < SPACE_NEEDED_GB and not scratch.exists():
        raise DevstackError(
            f"building needs {SPACE_NEEDED_GB} GB temporarily and {root} has {free:.1f} GB free: "
            "free some space, or set SUMMARYRULE_CACHE to a directory on a larger disk"
        )


def _explain_failure(tool: Tool, output: str, root: Path) -> str:
    if DISK_FULL in output:
        return (
            f"the disk under {root} is full: free {SPACE_NEEDED_GB} GB or set SUMMARYRULE_CACHE to "
            f"a directory on a larger disk, then run this again; the build of {tool.name} "
            "continues where it stopped"
        )
    last = (output.strip().splitlines() or ["no output"])[-1].strip()
    if any(sign in output for sign in NETWORK_ERRORS):
        return (
            f"the Go modules of {tool.name} cannot be fetched ({last}): check that the module "
            "proxy can be reached (GOPROXY), then run this again"
        )
    return f"{tool.name} {tool.version} cannot be built: {last}"
