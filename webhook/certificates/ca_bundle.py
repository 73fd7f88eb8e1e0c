"""The caBundle in both webhook configurations: read, patch, verify.

Helm, GitOps tools and ``kubectl replace`` may remove it at any time. A patch names the
resourceVersion that it was decided on.
"""

import binascii
from base64 import b64decode, b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from runtime.errors import NotFound
from runtime.kube.client import JSON_PATCH, KubeClient
from webhook.certificates.tls import ReloadableTLSContext
from webhook.errors import UnusableCertificateError

_GROUP: Final = "/apis/admissionregistration.k8s.io/v1"
GATE: Final = "certificate"
"""Readiness gate: the API server would trust the served certificate."""
RESOURCES: Final = ("mutatingwebhookconfigurations", "validatingwebhookconfigurations")


@dataclass(frozen=True, slots=True)
class WebhookConfiguration:
    """One configuration: the caBundle (PEM) of each of its entries, in order."""

    path: str
    version: str
    bundles: tuple[bytes, ...]


class WebhookConfigurations:
    """The mutating and the validating configuration called ``name``."""

    def __init__(self, client: KubeClient, name: str) -> None:
        self._client = client
        self._name = name

    @property
    def watched(self) -> tuple[tuple[str, str], ...]:
        """Both, each as the path of its collection and its name."""
        return tuple((f"{_GROUP}/{resource}", self._name) for resource in RESOURCES)

    async def read(self) -> list[WebhookConfiguration]:
        """Read those that exist, mutating first."""
        found = []
        for resource in RESOURCES:
            try:
                answer = await self._client.request("GET", f"{_GROUP}/{resource}/{self._name}")
            except NotFound:
                continue
            found.append(_configuration(f"{_GROUP}/{resource}/{self._name}", answer))
        return found

    async def inject(
        self, found: list[WebhookConfiguration], wanted: Callable[[bytes], bytes]
    ) -> list[WebhookConfiguration]:
        """Write ``wanted(caBundle)`` into each entry; return the configurations as they are then.

        ``wanted`` returns its argument where nothing is to change.

        Raises:
            Conflict: when a configuration changed since it was read.
        """
        return [await self._inject(each, wanted) for each in found]

    async def _inject(
        self, found: WebhookConfiguration, wanted: Callable[[bytes], bytes]
    ) -> WebhookConfiguration:
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
        answer = await self._client.request(
            "PATCH", found.path, body=[at, *steps], content_type=JSON_PATCH
        )
        return _configuration(found.path, answer)


def verification_error(
    tls: ReloadableTLSContext, live: Sequence[WebhookConfiguration], name: str
) -> str:
    """Return why the API server would not trust ``tls`` as ``name``; empty when it would."""
    for resource in RESOURCES:
        found = next((each for each in live if f"/{resource}/" in each.path), None)
        if found is None:
            return f"there is no {resource[:-1]} of the given name"
        for bundle in dict.fromkeys(found.bundles):
            try:
                tls.verify(bundle, name)
            except UnusableCertificateError as error:
                return f"by the caBundle of the {resource[:-1]} the served certificate is {error}"
    return ""


def _configuration(path: str, answer: dict[str, Any]) -> WebhookConfiguration:
    bundles = tuple(_bundle(entry) for entry in answer.get("webhooks") or ())
    return WebhookConfiguration(path, answer["metadata"]["resourceVersion"], bundles)


def _bundle(entry: dict[str, Any]) -> bytes:
    try:
        return b64decode(entry["clientConfig"].get("caBundle") or "")
    except (binascii.Error, KeyError):
        return b""
