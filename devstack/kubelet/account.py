"""Gives a process the identity of its Pod's ServiceAccount, by TokenRequest.

Used by `pods.py`. A container finds its token at a fixed path below /var/run, which a local
process cannot have; it is given a kubeconfig in KUBECONFIG instead, whose token file is kept fresh.
The token is bound to the Pod as the kubelet binds it.
"""

import time
from pathlib import Path

import yaml

from devstack.controlplane import ControlPlane
from devstack.errors import DevstackError
from devstack.kubelet.api import Api, Object

LIFE = 24 * 3600
"""Seconds that a token lives; a new one is written at half of it."""


class Account:
    """The kubeconfig of one Pod, in `folder`."""

    def __init__(self, api: Api, plane: ControlPlane, pod: Object, folder: Path) -> None:
        self.kubeconfig = folder / "kubeconfig"
        self._token = folder / "token"
        self._api = api
        self._plane = plane
        self._pod = pod
        self._written = 0.0

    async def write(self) -> None:
        """Write a fresh token when there is none or when half of its life is over.

        Raises:
            DevstackError: the ServiceAccount does not exist.
        """
        if self._written and time.monotonic() - self._written < LIFE / 2:
            return
        self.kubeconfig.parent.mkdir(parents=True, exist_ok=True)
        _write(self._token, await self._request())
        _write(self.kubeconfig, yaml.safe_dump(self._document(), sort_keys=False))
        self._written = time.monotonic()

    async def _request(self) -> str:
        metadata, name = self._pod["metadata"], self._pod["spec"]["serviceAccountName"]
        path = f"/api/v1/namespaces/{metadata['namespace']}/serviceaccounts/{name}/token"
        bound = {
            "apiVersion": "v1",
            "kind": "Pod",
            "name": metadata["name"],
            "uid": metadata["uid"],
        }
        answer = await self._api.create(
            path, {"spec": {"expirationSeconds": LIFE, "boundObjectRef": bound}}
        )
        if answer is None:
            raise DevstackError(f"no token can be had for the ServiceAccount {name}")
        return str(answer["status"]["token"])

    def _document(self) -> Object:
        name = "pod"
        server, authority = self._plane.server, str(self._plane.ca.resolve())
        cluster = {"server": server, "certificate-authority": authority}
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": name,
            "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
            "clusters": [{"name": name, "cluster": cluster}],
            "users": [{"name": name, "user": {"tokenFile": str(self._token)}}],
        }


def _write(path: Path, text: str) -> None:
    """Replace a file, readable by this user alone, in one step."""
    draft = path.with_suffix(".draft")
    draft.touch(mode=0o600)
    draft.write_text(text)
    draft.replace(path)
