"""A container's declaration as a local command line. Pure: no file, no process, no server.

Used by `pods.py`. The processes share this machine's network and file system, so three things
are put in the local place of what the image would have: container ports, mount paths, and an
address to listen on that is not loopback.
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
class Place:
    """Where this machine keeps what a container names.

    `mounts` maps a mount path to a folder here, `ports` a container port to a port here.
    """

    mounts: Mapping[str, str]
    ports: Mapping[int, int]

    def localise(self, text: str) -> str:
        """Put local ports, folders and loopback in the place of the container's own.

        >>> Place({"/etc/x": "/tmp/m"}, {8080: 41000}).localise("--bind=0.0.0.0:8080")
        '--bind=127.0.0.1:41000'
        """
        for path, folder in sorted(self.mounts.items(), reverse=True):
            text = re.sub(rf"(?<![\w/.-]){re.escape(path)}(?![\w.-])", folder, text)
        for port, local in self.ports.items():
            text = re.sub(rf"(^|[=:]){port}$", rf"\g<1>{local}", text)
        return re.sub(r"(^|[=/@])(0\.0\.0\.0|\[::\]|::)(?=$|:\d)", rf"\g<1>{LOOPBACK}", text)


def variables(container: Object, pod: Object) -> dict[str, str]:
    """Give the container's env; a field reference is answered as the kubelet would.

    Raises:
        DevstackError: a variable comes from a place that is not played here.
    """
    found: dict[str, str] = {}
    for entry in container.get("env", []):
        value = entry.get("value", "")
        if "valueFrom" in entry:
            value = _field(entry["valueFrom"], entry["name"], pod)
        found[entry["name"]] = expand(value, found)
    return found


def expand(text: str, known: Mapping[str, str]) -> str:
    """Replace `$(NAME)` where NAME is known, and `$$` by `$`, as the kubelet does.

    >>> expand("$(A)-$(B)-$$(A)", {"A": "1"})
    '1-$(B)-$(A)'
    """

    def put(match: re.Match[str]) -> str:
        return "$" if match[0] == "$$" else known.get(match[1], match[0])

    return REFERENCE.sub(put, text)


def command(container: Object, env: Mapping[str, str], place: Place) -> Sequence[str]:
    """Give the argument vector with everything local.

    Raises:
        DevstackError: the container names no command, so only its image knows what to run.
    """
    if not container.get("command"):
        raise DevstackError(
            f"container {container['name']} has no command: write it in the chart, as no image "
            "is pulled here that could have one"
        )
    words = [*container["command"], *container.get("args", [])]
    return [place.localise(expand(word, env)) for word in words]


def environment(env: Mapping[str, str], place: Place, base: Mapping[str, str]) -> dict[str, str]:
    """Give the whole environment of the process: the image's (`base`), then the container's."""
    return {**base, **{name: place.localise(value) for name, value in env.items()}}


def ports(container: Object) -> Sequence[int]:
    """Give the ports that the container declares."""
    return [port["containerPort"] for port in container.get("ports", [])]


def port_number(container: Object, wanted: int | str) -> int | None:
    """Find a port by its name or number, as probes and Services name them."""
    for port in container.get("ports", []):
        if wanted in {port["containerPort"], port.get("name")}:
            return int(port["containerPort"])
    return None


def image_environment(python: str, home: str) -> dict[str, str]:
    """Give what an image would set: a PATH that finds our own Python first, and little else.

    Coverage of subprocesses passes through, so that a suite can measure what it starts.
    """
    kept = {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")}
    path = os.pathsep.join([os.path.dirname(python), "/usr/bin", "/bin"])  # noqa: PTH120
    return {**kept, "PATH": path, "HOME": home, "LANG": "C.UTF-8", "PYTHONUNBUFFERED": "1"}


def _field(source: Object, name: str, pod: Object) -> str:
    path = source.get("fieldRef", {}).get("fieldPath", "")
    answers = {
        "metadata.name": pod["metadata"]["name"],
        "metadata.namespace": pod["metadata"]["namespace"],
        "metadata.uid": pod["metadata"]["uid"],
        "spec.serviceAccountName": pod["spec"].get("serviceAccountName", "default"),
        "spec.nodeName": pod["spec"].get("nodeName", ""),
        "status.podIP": LOOPBACK,
        "status.hostIP": LOOPBACK,
    }
    if path not in answers:
        raise DevstackError(f"env {name} has a source that the devstack does not play: {source}")
    return str(answers[path])


def address(container: Object, local: Mapping[int, int]) -> str:
    """Give the URL of the container's first port, empty when it has none."""
    for port in container.get("ports", []):
        scheme = "https" if port.get("name") == "https" else "http"
        return f"{scheme}://{LOOPBACK}:{local[port['containerPort']]}"
    return ""
