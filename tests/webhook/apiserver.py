"""An API server in memory: objects, resourceVersions, JSON patches, watches, over plain HTTP.

It keeps the part of the contract that the certificate loop relies on; `test_cluster` runs the same
checks against this one and against a real kube-apiserver.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import yaml
from jsonpatch import apply_patch

Json = dict[str, Any]
GROUP: Final = "/apis/admissionregistration.k8s.io/v1"
MUTATING: Final = f"{GROUP}/mutatingwebhookconfigurations"
VALIDATING: Final = f"{GROUP}/validatingwebhookconfigurations"
NAME: Final = "summaryrule-operator"
SECRETS: Final = "/api/v1/namespaces/summaryrule-system/secrets"
SECRET: Final = f"{SECRETS}/summaryrule-operator-webhook-ca"


class World:
    """The objects, by path, and a condition that every write wakes."""

    def __init__(self) -> None:
        self.objects: dict[str, Json] = {}
        self.version = 0
        self.is_away = False
        self.is_closed = False
        self.changed = threading.Condition()

    def put(self, path: str, thing: Json) -> Json:
        """Write, unconditionally, under a new resourceVersion."""
        with self.changed:
            self.version += 1
            stored = deepcopy(thing)
            stored.setdefault("metadata", {})["resourceVersion"] = str(self.version)
            self.objects[path] = stored
            self.changed.notify_all()
            return stored

    def get(self, path: str) -> Json | None:
        """Read one object."""
        with self.changed:
            return deepcopy(self.objects.get(path))

    def delete(self, path: str) -> None:
        """Remove one object."""
        with self.changed:
            self.version += 1
            self.objects.pop(path, None)
            self.changed.notify_all()

    def add_configurations(self) -> None:
        """Create both webhook configurations, with no caBundle yet."""
        for path in (MUTATING, VALIDATING):
            entry = {"name": "x.adx-mon.azure.com", "clientConfig": {"service": {"name": "x"}}}
            self.put(f"{path}/{NAME}", {"metadata": {"name": NAME}, "webhooks": [entry]})

    def bundles(self) -> list[str]:
        """The caBundle, base64, of every entry; empty text where there is none."""
        return [
            entry["clientConfig"].get("caBundle", "")
            for path in (MUTATING, VALIDATING)
            for entry in (self.get(f"{path}/{NAME}") or {"webhooks": []})["webhooks"]
        ]


class Refused(Exception):  # noqa: N818 - an HTTP answer, not a failure of the test
    """An error answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Handler(BaseHTTPRequestHandler):
    """One request to the world."""

    protocol_version = "HTTP/1.1"
    world: World

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's
        """Say nothing."""

    def do_GET(self) -> None:
        """Read an object or hold a watch."""
        url = urlsplit(self.path)
        if "watch" in parse_qs(url.query):
            self._watch(url.path, parse_qs(url.query)["fieldSelector"][0].split("=")[1])
        else:
            self._answer(lambda: self._found(url.path))

    def do_POST(self) -> None:
        """Create."""
        self._answer(self._create)

    def do_PUT(self) -> None:
        """Replace by resourceVersion."""
        self._answer(self._replace)

    def do_PATCH(self) -> None:
        """Apply a JSON patch."""
        self._answer(self._patch)

    def _answer(self, act: Any) -> None:
        try:
            with self.world.changed:
                if self.world.is_away:
                    raise Refused(503, "away")  # noqa: TRY301 - answered below
                status, body = 200, act()
        except Refused as error:
            status = error.status
            body = {"kind": "Status", "code": status, "message": str(error)}
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def _found(self, path: str) -> Json:
        found = self.world.objects.get(path)
        if found is None:
            raise Refused(404, f"{path} not found")
        return found

    def _body(self) -> Any:
        return json.loads(self.rfile.read(int(self.headers["Content-Length"])))

    def _create(self) -> Json:
        body = self._body()
        path = f"{self.path}/{body['metadata']['name']}"
        if path in self.world.objects:
            raise Refused(409, f"{path} already exists")
        return self.world.put(path, body)

    def _replace(self) -> Json:
        body = self._body()
        found = self._found(self.path)["metadata"]["resourceVersion"]
        if body["metadata"].get("resourceVersion", found) != found:
            raise Refused(409, "the object has been modified")
        return self.world.put(self.path, body)

    def _patch(self) -> Json:
        found = self._found(self.path)
        patched: Json = apply_patch(found, self._body())
        if patched["metadata"]["resourceVersion"] != found["metadata"]["resourceVersion"]:
            raise Refused(409, "the object has been modified")
        return self.world.put(self.path, patched)

    def _watch(self, path: str, name: str) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        seen = None
        with self.world.changed:
            while not (self.world.is_away or self.world.is_closed):
                found = self.world.objects.get(f"{path}/{name}")
                if found != seen:
                    seen = deepcopy(found)
                    if not self._event(found):
                        return
                self.world.changed.wait(1)
        self._chunk(b"")

    def _event(self, found: Json | None) -> bool:
        kind = "DELETED" if found is None else "MODIFIED"
        return self._chunk(json.dumps({"type": kind, "object": found}).encode() + b"\n")

    def _chunk(self, data: bytes) -> bool:
        """Send a part of the body; an empty one ends it."""
        try:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        except OSError:
            return False
        return True


class Server(ThreadingHTTPServer):
    """Threads that do not outlive the test."""

    daemon_threads = True
    block_on_close = False


@contextmanager
def serving(world: World) -> Iterator[int]:
    """Serve ``world`` on a free port of 127.0.0.1."""
    handler = type("WorldHandler", (Handler,), {"world": world})
    with Server(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield int(server.server_address[1])
        finally:
            world.is_closed = True
            server.shutdown()
            thread.join()


def kubeconfig(path: Path, port: int) -> Path:
    """Write a kubeconfig for it."""
    config = {
        "current-context": "test",
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        "clusters": [{"name": "test", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
        "users": [{"name": "test", "user": {"token": "secret"}}],
    }
    path.write_text(yaml.safe_dump(config), "utf-8")
    return path
