"""Writes a Pod's volumes below the state directory and keeps them current.

As with the kubelet, a new version of a Secret or ConfigMap becomes visible atomically: the files
are links through `..data`, and that link is replaced.
"""

import base64
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from devstack.errors import DevstackError
from devstack.kubelet.api import ApiClient, Object

SOURCES = {"secret": ("secrets", "secretName"), "configMap": ("configmaps", "name")}
TOKEN_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"  # noqa: S105 - a path


class Volumes:
    """The volumes of one Pod below `root`."""

    def __init__(self, api: ApiClient, pod: Object, root: Path) -> None:
        self._api = api
        self._namespace = pod["metadata"]["namespace"]
        self._volumes: list[Object] = pod["spec"].get("volumes", [])
        self._root = root
        self._versions: dict[str, str] = {}

    async def write(self) -> None:
        """Write every volume whose source has changed since the last call.

        Raises:
            DevstackError: a source does not exist, or the kind of a volume is not supported.
        """
        for volume in self._volumes:
            source = next((kind for kind in SOURCES if kind in volume), None)
            if source is not None:
                await self._copy(volume["name"], source, volume[source])
            elif "emptyDir" in volume:
                (self._root / volume["name"]).mkdir(parents=True, exist_ok=True)
            elif "projected" not in volume:
                raise DevstackError(f"the kind of volume {volume['name']} is not supported here")

    async def _copy(self, name: str, kind: str, source: Object) -> None:
        plural, key = SOURCES[kind]
        path = f"/api/v1/namespaces/{self._namespace}/{plural}/{source[key]}"
        found = await self._api.get(path)
        if found is None and source.get("optional"):
            found = {"metadata": {"resourceVersion": "0"}}
        if found is None:
            raise DevstackError(f"volume {name} waits for the {kind} {source[key]}")
        version = found["metadata"]["resourceVersion"]
        if self._versions.get(name) != version:
            publish(self._root / name, version, file_contents(found, secret=kind == "secret"))
            self._versions[name] = version

    def directories(self, container: Object) -> dict[str, str]:
        """Map each mount path of the container to a local directory."""
        return {
            mount["mountPath"]: str(self._root / mount["name"] / mount.get("subPath", ""))
            for mount in container.get("volumeMounts", [])
            if mount["mountPath"] != TOKEN_PATH
        }


async def with_secret_values(api: ApiClient, container: Object, namespace: str) -> Object:
    """Return the container with the values of its env that come from Secrets (`secretKeyRef`).

    Raises:
        DevstackError: a Secret does not exist, or does not have the key.
    """
    env = []
    for entry in container.get("env", []):
        reference = entry.get("valueFrom", {}).get("secretKeyRef")
        if reference is None:
            env.append(entry)
            continue
        path = f"/api/v1/namespaces/{namespace}/secrets/{reference['name']}"
        files = file_contents(await api.get(path) or {}, secret=True)
        name, key = entry["name"], reference["key"]
        if key not in files:
            raise DevstackError(f"env {name} waits for key {key} of secret {reference['name']}")
        env.append({"name": name, "value": files[key].decode()})
    return {**container, "env": env}


def has_token(pod: Object) -> bool:
    """Whether the ServiceAccount's token is mounted (`automountServiceAccountToken`)."""
    return any("projected" in volume for volume in pod["spec"].get("volumes", []))


def file_contents(item: Object, *, secret: bool) -> dict[str, bytes]:
    """Return the files of a Secret or a ConfigMap."""
    data: Mapping[str, str] = item.get("data") or {}
    if secret:
        return {name: base64.b64decode(value) for name, value in data.items()}
    return {name: value.encode() for name, value in data.items()}


def publish(directory: Path, version: str, files: Mapping[str, bytes]) -> None:
    """Replace the files that are visible in `directory` by `files`, atomically."""
    directory.mkdir(parents=True, exist_ok=True)
    data = directory / f"..{version}"
    data.mkdir(mode=0o700, exist_ok=True)
    for name, content in files.items():
        (data / name).write_bytes(content)
    draft, link = directory / "..draft", directory / "..data"
    old = link.readlink() if link.is_symlink() else None
    draft.symlink_to(data.name)
    os.replace(draft, link)  # noqa: PTH105 - its atomicity is the point
    _link(directory, files)
    if old is not None and old.name != data.name:
        shutil.rmtree(directory / old, ignore_errors=True)


def _link(directory: Path, files: Mapping[str, bytes]) -> None:
    for name in files:
        if not (directory / name).is_symlink():
            (directory / name).symlink_to(f"..data/{name}")
    for path in directory.iterdir():
        if path.is_symlink() and not path.name.startswith("..") and path.name not in files:
            path.unlink()
