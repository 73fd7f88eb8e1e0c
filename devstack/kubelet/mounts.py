"""Writes a Pod's volumes below the state folder, and keeps them fresh.

Used by `pods.py`. Like the kubelet, a new version of a Secret or ConfigMap becomes visible in one
step: the files are links through `..data`, and that link is what changes.
"""

import base64
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from devstack.errors import DevstackError
from devstack.kubelet.api import Api, Object

KINDS = {"secret": ("secrets", "secretName"), "configMap": ("configmaps", "name")}
TOKEN_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"  # noqa: S105 - a path


class Volumes:
    """The volumes of one Pod below `root`."""

    def __init__(self, api: Api, pod: Object, root: Path) -> None:
        self._api = api
        self._namespace = pod["metadata"]["namespace"]
        self._volumes: list[Object] = pod["spec"].get("volumes", [])
        self._root = root
        self._versions: dict[str, str] = {}

    async def write(self) -> None:
        """Write every volume whose source has changed since it was written last.

        Raises:
            DevstackError: a source is missing, or a volume is of a kind that is not played.
        """
        for volume in self._volumes:
            source = next((kind for kind in KINDS if kind in volume), None)
            if source is not None:
                await self._copy(volume["name"], source, volume[source])
            elif "emptyDir" in volume:
                (self._root / volume["name"]).mkdir(parents=True, exist_ok=True)
            elif "projected" not in volume:
                raise DevstackError(f"volume {volume['name']} is of a kind that is not played here")

    async def _copy(self, name: str, kind: str, source: Object) -> None:
        plural, key = KINDS[kind]
        path = f"/api/v1/namespaces/{self._namespace}/{plural}/{source[key]}"
        found = await self._api.get(path)
        if found is None and source.get("optional"):
            found = {"metadata": {"resourceVersion": "0"}}
        if found is None:
            raise DevstackError(f"volume {name} waits for the {kind} {source[key]}")
        version = found["metadata"]["resourceVersion"]
        if self._versions.get(name) != version:
            publish(self._root / name, version, contents(found, secret=kind == "secret"))
            self._versions[name] = version

    def folders(self, container: Object) -> dict[str, str]:
        """Map each mount path of the container to its folder here."""
        return {
            mount["mountPath"]: str(self._root / mount["name"] / mount.get("subPath", ""))
            for mount in container.get("volumeMounts", [])
            if mount["mountPath"] != TOKEN_PATH
        }


def has_token(pod: Object) -> bool:
    """Whether the ServiceAccount's token is mounted (`automountServiceAccountToken`)."""
    return any("projected" in volume for volume in pod["spec"].get("volumes", []))


def contents(item: Object, *, secret: bool) -> dict[str, bytes]:
    """Give the files that a Secret or a ConfigMap holds."""
    data: Mapping[str, str] = item.get("data") or {}
    if secret:
        return {name: base64.b64decode(value) for name, value in data.items()}
    return {name: value.encode() for name, value in data.items()}


def publish(folder: Path, version: str, files: Mapping[str, bytes]) -> None:
    """Show `files` in `folder`, all at once, in the place of what it showed before."""
    folder.mkdir(parents=True, exist_ok=True)
    data = folder / f"..{version}"
    data.mkdir(mode=0o700, exist_ok=True)
    for name, content in files.items():
        (data / name).write_bytes(content)
    draft, link = folder / "..draft", folder / "..data"
    old = link.readlink() if link.is_symlink() else None
    draft.symlink_to(data.name)
    os.replace(draft, link)  # noqa: PTH105 - its atomicity is the point
    _link(folder, files)
    if old is not None and old.name != data.name:
        shutil.rmtree(folder / old, ignore_errors=True)


def _link(folder: Path, files: Mapping[str, bytes]) -> None:
    for name in files:
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(f"..data/{name}")
    for path in folder.iterdir():
        if path.is_symlink() and not path.name.startswith("..") and path.name not in files:
            path.unlink()
