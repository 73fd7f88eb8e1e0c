"""The caBundle in both webhook configurations: read, compared, patched.

Helm, GitOps tools and ``kubectl replace`` may wipe it at any time; the loop watches and patches
it again. A patch names the resourceVersion that it was decided on.
"""

import binascii
from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from webhook.cluster.client import JSON_PATCH, Client
from webhook.errors import NotFoundError

_GROUP: Final = "/apis/admissionregistration.k8s.io/v1"
RESOURCES: Final = ("mutatingwebhookconfigurations", "validatingwebhookconfigurations")


@dataclass(frozen=True, slots=True)
class Configuration:
    """One configuration: the caBundle (PEM) of each of its entries, in order."""

    path: str
    version: str
    bundles: tuple[bytes, ...]


class Configurations:
    """The mutating and the validating configuration called ``name``."""

    def __init__(self, client: Client, name: str) -> None:
        self._client = client
        self._name = name

    @property
    def watch_paths(self) -> tuple[str, ...]:
        """What to watch to hear of a change."""
        query = f"watch=1&timeoutSeconds=300&fieldSelector=metadata.name%3D{self._name}"
        return tuple(f"{_GROUP}/{resource}?{query}" for resource in RESOURCES)

    async def read(self) -> list[Configuration]:
        """Those of the two that exist, mutating first."""
        found = []
        for resource in RESOURCES:
            try:
                answer = await self._client.call("GET", f"{_GROUP}/{resource}/{self._name}")
            except NotFoundError:
                continue
            found.append(_configuration(f"{_GROUP}/{resource}/{self._name}", answer))
        return found

    async def publish(
        self, found: list[Configuration], wanted: Callable[[bytes], bytes]
    ) -> list[Configuration]:
        """Give each entry the bundle ``wanted`` makes of its present one; return what is live then.

        Raises:
            ConflictError: when a configuration changed since it was read.
        """
        return [await self._publish(each, wanted) for each in found]

    async def _publish(
        self, found: Configuration, wanted: Callable[[bytes], bytes]
    ) -> Configuration:
        steps: list[dict[str, Any]] = [
            {
                "op": "add",
                "path": f"/webhooks/{index}/clientConfig/caBundle",
                "value": b64encode(bundle).decode(),
            }
            for index, old in enumerate(found.bundles)
            if (bundle := wanted(old)) is not old
        ]
        if not steps:
            return found
        # A failed "test" would be a 422; a stale resourceVersion written is the 409 it should be.
        at = {"op": "replace", "path": "/metadata/resourceVersion", "value": found.version}
        answer = await self._client.call("PATCH", found.path, [at, *steps], JSON_PATCH)
        return _configuration(found.path, answer)


def _configuration(path: str, answer: dict[str, Any]) -> Configuration:
    bundles = tuple(_bundle(entry) for entry in answer.get("webhooks") or ())
    return Configuration(path, answer["metadata"]["resourceVersion"], bundles)


def _bundle(entry: dict[str, Any]) -> bytes:
    try:
        return b64decode(entry["clientConfig"].get("caBundle") or "")
    except (binascii.Error, KeyError):
        return b""
