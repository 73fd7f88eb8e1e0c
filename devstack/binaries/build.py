"""Builds missing binaries from the pinned Go modules, into the cache.

Called by `find.py` when nobody else has them. Go's build cache and the modules' source come to
some 10 GB: they lie in a folder of their own, kept when a build is interrupted (the next one goes
on from it) and dropped once every binary stands.
"""

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from devstack.binaries import golang, progress
from devstack.binaries.cache import Cache
from devstack.binaries.tools import Tool
from devstack.errors import DevstackError

ROOM_NEEDED = 11
"""GB free at the beginning. Measured with Go 1.26: the stack's four tools 8 of cache and 1.5 of
source, the chart's checkers half of one more."""

FULL = "no space left on device"
NETWORK = (
    "dial tcp",
    "no such host",
    "TLS handshake",
    "i/o timeout",
    "connection re",
    "proxyconnect",
)


def build(cache: Cache, tools: Sequence[Tool]) -> None:
    """Build each of `tools` that the cache still lacks.

    Raises:
        DevstackError: no Go, no room, no network, or the compiler said no.
    """
    missing = [tool for tool in tools if not cache.place(tool).is_file()]
    if not missing:
        return
    scratch = cache.root / "build"
    _check_room(cache.root, scratch)
    go = golang.find(cache, max(tool.needs_go for tool in missing))
    try:
        scratch.mkdir(exist_ok=True)
        for tool in missing:
            _build_one(cache, tool, go, scratch)
    except OSError as error:
        raise DevstackError(_reason(missing[-1], str(error).lower(), cache.root)) from None
    shutil.rmtree(scratch, ignore_errors=True)


def _build_one(cache: Cache, tool: Tool, go: Path, scratch: Path) -> None:
    place = cache.place(tool)
    draft = scratch / tool.name
    tags = ",".join(tool.tags)
    argv = [str(go), "build", "-mod=readonly", "-trimpath", f"-tags={tags}"]
    argv += ["-ldflags", tool.flags()]
    what = f"{tool.name} {tool.version} (built once, then cached)"
    code, output = progress.run(
        what, [*argv, "-o", str(draft), tool.package], _environment(go, scratch), tool.folder
    )
    if code:
        raise DevstackError(_reason(tool, output, cache.root))
    place.parent.mkdir(parents=True, exist_ok=True)
    draft.replace(place)


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


def _check_room(root: Path, scratch: Path) -> None:
    free = shutil.disk_usage(root).free / 1e9
    if free < ROOM_NEEDED and not scratch.exists():
        raise DevstackError(
            f"building needs {ROOM_NEEDED} GB for a while and {root} has {free:.1f} GB free: make "
            "room, or set SUMMARYRULE_CACHE to a folder on a larger disk"
        )


def _reason(tool: Tool, output: str, root: Path) -> str:
    if FULL in output:
        return (
            f"the disk under {root} is full: make room ({ROOM_NEEDED} GB are enough) or set "
            f"SUMMARYRULE_CACHE to a larger disk, then run this again; {tool.name} goes on from "
            "where it stopped"
        )
    last = (output.strip().splitlines() or ["no word"])[-1].strip()
    if any(sign in output for sign in NETWORK):
        return (
            f"the Go modules of {tool.name} cannot be fetched ({last}): see that the module proxy "
            "can be reached (GOPROXY), then run this again"
        )
    return f"{tool.name} {tool.version} cannot be built: {last}"
