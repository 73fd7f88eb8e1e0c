"""Writes a kubeconfig with the token of a Pod's ServiceAccount, from the TokenRequest API.

A container finds its token at a fixed path below /var/run, which a local process cannot have. It
gets a kubeconfig in KUBECONFIG instead. The token is bound to the Pod, as the kubelet binds it.
"""

import time
from pathlib import Path

import yaml

from devstack.controlplane import ControlPlane
from devstack.errors import DevstackError
from devstack.kubelet.api import ApiClient, Object

TOKEN_LIFETIME = 24 * 3600
"""Seconds. A new token is requested after half of it."""


class ServiceAccountKubeconfig:
    """The kubeconfig of one Pod, in `directory`."""

    def __init__(self, api: ApiClient, plane: ControlPlane, pod: Object, directory: Path) -> None:
        self.kubeconfig = directory / "kubeconfig"
        self._token = directory / "token"
        self._api = api
        self._plane = plane
        self._pod = pod
        self._written = 0.0

    async def refresh(self) -> None:
        """Write a new token when there is none or half of its lifetime is over.

        Raises:
            DevstackError: the ServiceAccount does not exist.
        """
        if self._written and time.monotonic() - self._written < TOKEN_LIFETIME / 2:
            return
        self.kubeconfig.parent.mkdir(parents=True, exist_ok=True)
        _write(self._token, await self._request_token())
        _write(self.kubeconfig, yaml.safe_dump(self._kubeconfig(), sort_keys=False))
        self._written = time.monotonic()

    async def _request_token(self) -> str:
        metadata, name = self._pod["metadata"], self._pod["spec"]["serviceAccountName"]
        path = f"/api/v1/namespaces/{metadata['namespace']}/serviceaccounts/{name}/token"
        bound = {
            "apiVersion": "v1",
            "kind": "Pod",
            "name": metadata["name"],
            "uid": metadata["uid"],
        }
        answer = await self._api.create(
            path, {"spec": {"expirationSeconds": TOKEN_LIFETIME, "boundObjectRef": bound}}
        )
        if answer is None:
            raise DevstackError(f"the ServiceAccount {name} does not exist, so it has no token")
        return str(answer["status"]["token"])

    def _kubeconfig(self) -> Object:
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
    """Replace a file atomically; mode 0600."""
    draft = path.with_suffix(".draft")
    draft.touch(mode=0o600)
    draft.write_text(text)
    draft.replace(path)
