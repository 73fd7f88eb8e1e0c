"""Translates a container of a Pod to a local command line and environment. Pure functions.

Local processes share this machine's network and file system. So three things are replaced by local
ones: container ports, mount paths, and listen addresses other than loopback.
"""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from devstack.errors import DevstackError
from devstack.kubelet.api import Object

LOOPBACK = "127.0.0.1"
REFERENCE = re.compile(r"\$\$|\$\((\w+)\)")


@dataclass(frozen=True, slots=True)
class LocalMapping:
    """Maps mount paths to local directories (`mounts`) and container ports to local `ports`."""

    mounts: Mapping[str, str]
    ports: Mapping[int, int]

    def localize(self, text: str) -> str:
        """Replace the container's paths, ports and listen addresses in `text` by local ones.

        >>> LocalMapping({"/etc/x": "/tmp/m"}, {8080: 41000}).localize("--bind=0.0.0.0:8080")
        '--bind=127.0.0.1:41000'
        """
        for path, directory in sorted(self.mounts.items(), reverse=True):
            text = re.sub(rf"(?<![\w/.-]){re.escape(path)}(?![\w.-])", directory, text)
        for port, local in self.ports.items():
            text = re.sub(rf"(^|[=:]){port}$", rf"\g<1>{local}", text)
        return re.sub(r"(^|[=/@])(0\.0\.0\.0|\[::\]|::)(?=$|:\d)", rf"\g<1>{LOOPBACK}", text)


def env_variables(container: Object, pod: Object) -> dict[str, str]:
    """Return the container's env with field references resolved as the kubelet does.

    Raises:
        DevstackError: the source of a variable is not supported here.
    """
    found: dict[str, str] = {}
    for entry in container.get("env", []):
        value = entry.get("value", "")
        if "valueFrom" in entry:
            value = _resolve_field(entry["valueFrom"], entry["name"], pod)
        found[entry["name"]] = expand(value, found)
    return found


def expand(text: str, known: Mapping[str, str]) -> str:
    """Replace `$(NAME)` where NAME is known, and `$$` by `$`, as the kubelet does.

    >>> expand("$(A)-$(B)-$$(A)", {"A": "1"})
    '1-$(B)-$(A)'
    """

    def replacement(match: re.Match[str]) -> str:
        return "$" if match[0] == "$$" else known.get(match[1], match[0])

    return REFERENCE.sub(replacement, text)


def command(container: Object, env: Mapping[str, str], mapping: LocalMapping) -> Sequence[str]:
    """Return the argument vector with local paths, ports and addresses.

    Raises:
        DevstackError: the container has no command; the default of an image is not known here.
    """
    if not container.get("command"):
        raise DevstackError(
            f"container {container['name']} has no command: write it in the chart, "
            "because no image is pulled here that could have one"
        )
    words = [*container["command"], *container.get("args", [])]
    return [mapping.localize(expand(word, env)) for word in words]


def environment(
    env: Mapping[str, str], mapping: LocalMapping, base: Mapping[str, str]
) -> dict[str, str]:
    """Return the environment of the process: that of the image (`base`), then the container's."""
    return {**base, **{name: mapping.localize(value) for name, value in env.items()}}


def ports(container: Object) -> Sequence[int]:
    """Return the ports that the container declares."""
    return [port["containerPort"] for port in container.get("ports", [])]


def port_number(container: Object, wanted: int | str) -> int | None:
    """Return the container port with this name or number, None when there is none."""
    for port in container.get("ports", []):
        if wanted in {port["containerPort"], port.get("name")}:
            return int(port["containerPort"])
    return None


def image_environment(python: str, home: str) -> dict[str, str]:
    """Return the environment that an image would set: a PATH with our own Python first, HOME, LANG.

    Variables of coverage.py are passed on, so that tests can measure these processes.
    """
    kept = {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")}
    path = os.pathsep.join([os.path.dirname(python), "/usr/bin", "/bin"])  # noqa: PTH120
    return {**kept, "PATH": path, "HOME": home, "LANG": "C.UTF-8", "PYTHONUNBUFFERED": "1"}


def _resolve_field(source: Object, name: str, pod: Object) -> str:
    path = source.get("fieldRef", {}).get("fieldPath", "")
    values = {
        "metadata.name": pod["metadata"]["name"],
        "metadata.namespace": pod["metadata"]["namespace"],
        "metadata.uid": pod["metadata"]["uid"],
        "spec.serviceAccountName": pod["spec"].get("serviceAccountName", "default"),
        "spec.nodeName": pod["spec"].get("nodeName", ""),
        "status.podIP": LOOPBACK,
        "status.hostIP": LOOPBACK,
    }
    if path not in values:
        raise DevstackError(f"env {name} has a source that the devstack does not support: {source}")
    return str(values[path])


def address(container: Object, local: Mapping[int, int]) -> str:
    """Return the URL of the container's first port, empty when it declares no port."""
    for port in container.get("ports", []):
        scheme = "https" if port.get("name") == "https" else "http"
        return f"{scheme}://{LOOPBACK}:{local[port['containerPort']]}"
    return ""
