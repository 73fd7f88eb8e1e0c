"""What the chart has installed: the versions of CRD, webhook and worker, and the standby replicas.

It reads the CRD and the Deployments by their names, so that it needs only the verb get on them.
"""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from runtime.errors import NotFound, OperatorError, Refused
from runtime.kube.client import KubeClient
from summaryrule.api.constants import RESOURCE
from summaryrule.api.unstructured import as_int, as_str, nested_dict

COMPONENTS: Final = ("worker", "webhook")
CRD: Final = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{RESOURCE}"
_VERSION: Final = "app.kubernetes.io/version"
_PERIOD: Final = 30.0

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Part:
    """The CRD or a Deployment, as last read.

    ``version`` is the label that the chart sets; empty if there is none. ``ready`` and ``wanted``
    count the pods of a Deployment. ``unknown`` says why nothing is known; empty if it was read.
    """

    version: str = ""
    ready: int | None = None
    wanted: int | None = None
    unknown: str = ""

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> "Part":
        """The part that an object of the API server is; only a Deployment has replicas."""
        version = as_str(nested_dict(nested_dict(found, "metadata"), "labels").get(_VERSION))
        if found.get("kind") != "Deployment":
            return cls(version)
        spec, status = nested_dict(found, "spec"), nested_dict(found, "status")
        return cls(version, as_int(status.get("readyReplicas")), as_int(spec.get("replicas")))

    def as_json(self) -> Json:
        """For ``/worker.json``; what is not known is null."""
        return {
            "version": self.version or None,
            "ready": self.ready,
            "wanted": self.wanted,
            "unknown": self.unknown or None,
        }


def parse_deployments(pairs: Iterable[str]) -> dict[str, str]:
    """The Deployments by component, from ``COMPONENT=NAME``.

    Raises:
        ValueError: another form, or another component; the message says what to write.
    """
    found: dict[str, str] = {}
    for pair in pairs:
        component, _, name = pair.partition("=")
        if component not in COMPONENTS or not name:
            raise ValueError(f"--deployment {pair!r} must read worker=NAME or webhook=NAME")
        found[component] = name
    return found


@dataclass(slots=True)
class Installation:
    """Reads the CRD and ``deployments`` (names by component) in ``namespace`` again and again."""

    api: KubeClient
    namespace: str
    deployments: Mapping[str, str]
    parts: dict[str, Part] = field(default_factory=dict)
    """By ``CRD``, ``worker`` and ``webhook``; empty until the first read."""

    async def run(self) -> None:
        """Read until cancelled."""
        while True:
            await self.read()
            await asyncio.sleep(_PERIOD)

    async def read(self) -> None:
        """Read all parts once."""
        deployments = f"/apis/apps/v1/namespaces/{self.namespace}/deployments"
        paths = {"CRD": CRD} | {
            component: f"{deployments}/{name}" for component, name in self.deployments.items()
        }
        for name, path in paths.items():
            self.parts[name] = await self._read(path)

    async def _read(self, path: str) -> Part:
        try:
            return Part.of(await self.api.request("GET", path))
        except NotFound:
            return Part(unknown=f"the cluster has no {_words(path)}")
        except Refused:
            return Part(unknown=f"this worker may not get {_words(path)}")
        except OperatorError as error:
            return Part(unknown=str(error))

    def as_json(self) -> dict[str, Json]:
        """The parts for ``/worker.json``."""
        return {name: part.as_json() for name, part in self.parts.items()}


def _words(path: str) -> str:
    """The resource and the name at the end of a path: ``deployments/NAME``."""
    return "/".join(path.split("/")[-2:])
