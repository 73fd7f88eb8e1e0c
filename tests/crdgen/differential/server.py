"""A thin client of the API server: dry runs that give the server's own words, nothing cached."""

import ssl
import time
from base64 import b64decode
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import yaml

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
SERVED_WITHIN = 60.0
"""Seconds, for a machine that is busy with other things."""
AT_A_TIME = 4
"""Requests under way together, when the order does not matter."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server said: whether it would store the object, the object, and its words."""

    accepted: bool
    causes: tuple[str, ...]
    message: str
    object: dict[str, Any]


NO_ANSWER = Answer(accepted=False, causes=(), message="", object={})


class Server:
    """An API server, asked as its admin."""

    def __init__(self, kubeconfig: Path) -> None:
        config = yaml.safe_load(kubeconfig.read_text(encoding="utf-8"))
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        headers = {"Authorization": f"Bearer {user['token']}"} if "token" in user else {}
        context = _context(cluster, user)
        # NB: a client that threads share closes connections under them as they expire.
        self._clients = [
            httpx.Client(base_url=cluster["server"], verify=context, headers=headers, timeout=60)
            for _ in range(AT_A_TIME)
        ]
        self._client = self._clients[0]

    def close(self) -> None:
        for client in self._clients:
            client.close()

    def try_definition(self, crd: dict[str, Any]) -> Answer:
        """Would it take this definition? Nothing is stored."""
        return self._post(CRDS, crd, dry=True)

    def try_creation(self, crd: dict[str, Any]) -> Answer:
        """Would it store this definition, which it must refuse?"""
        return self._post(CRDS, crd, dry=False)

    def try_object(self, path: str, body: dict[str, Any]) -> Answer:
        """Would it admit this object? Nothing is stored."""
        return self._post(path, body, dry=True)

    def try_objects(self, path: str, bodies: Sequence[dict[str, Any]]) -> list[Answer]:
        """Would it admit each of these objects? Several at a time; nothing is stored."""
        found: list[Answer] = [NO_ANSWER] * len(bodies)

        def ask(nth: int) -> None:
            for at in range(nth, len(bodies), AT_A_TIME):
                found[at] = self._post(path, bodies[at], dry=True, client=self._clients[nth])

        with ThreadPoolExecutor(AT_A_TIME) as pool:
            list(pool.map(ask, range(AT_A_TIME)))
        return found

    def try_update(self, path: str, body: dict[str, Any]) -> Answer:
        """Would it admit this object in place of the stored one? Nothing is stored."""
        name = body["metadata"]["name"]
        query = {"dryRun": "All", "fieldValidation": "Strict"}
        return _answer(self._client.put(f"{path}/{name}", json=body, params=query))

    def try_apply(self, path: str, body: dict[str, Any], manager: str) -> Answer:
        """What server-side apply by `manager` would make of it. Nothing is stored."""
        return self._apply(path, body, {"fieldManager": manager, "dryRun": "All"})

    def apply(self, path: str, body: dict[str, Any], manager: str) -> None:
        """Apply server-side as `manager`; must succeed."""
        answer = self._apply(path, body, {"fieldManager": manager})
        assert answer.accepted, answer.message

    def _apply(self, path: str, body: dict[str, Any], query: dict[str, str]) -> Answer:
        return _answer(
            self._client.patch(
                f"{path}/{body['metadata']['name']}",
                json=body,
                params=query,
                headers={"Content-Type": "application/apply-patch+yaml"},
            )
        )

    def create(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Store an object that must be admitted."""
        answer = self._post(path, body, dry=False)
        assert answer.accepted, answer.message
        return answer.object

    def install(self, crd: dict[str, Any]) -> str:
        """Store a definition and wait until it is served; gives the path of its objects."""
        self.create(CRDS, crd)
        spec = crd["spec"]
        path = f"/apis/{spec['group']}/{spec['versions'][0]['name']}"
        scope = "/namespaces/default" if spec["scope"] == "Namespaced" else ""
        path = f"{path}{scope}/{spec['names']['plural']}"
        deadline = time.monotonic() + SERVED_WITHIN
        while self._client.get(path).status_code != httpx.codes.OK:
            assert time.monotonic() < deadline, f"{path} is not served"
            time.sleep(0.05)
        return path

    def replace(self, crd: dict[str, Any], path: str, *, refused: dict[str, Any]) -> None:
        """Change a stored definition and wait until the API server refuses `refused` by it."""
        name = crd["metadata"]["name"]
        stored = self._client.get(f"{CRDS}/{name}").json()
        changed = stored | {"spec": stored["spec"] | crd["spec"]}
        answer = _answer(self._client.put(f"{CRDS}/{name}", json=changed))
        assert answer.accepted, answer.message
        deadline = time.monotonic() + SERVED_WITHIN
        while self.try_object(path, refused).accepted:
            assert time.monotonic() < deadline, f"{path} does not change"
            time.sleep(0.05)

    def discard(self, crd: dict[str, Any]) -> None:
        """Have a definition and all its objects deleted, some time."""
        self._client.delete(f"{CRDS}/{crd['metadata']['name']}")

    def remove(self, crd: dict[str, Any]) -> None:
        """Delete a definition and all its objects."""
        name = crd["metadata"]["name"]
        self._client.delete(f"{CRDS}/{name}")
        deadline = time.monotonic() + SERVED_WITHIN
        while self._client.get(f"{CRDS}/{name}").status_code != httpx.codes.NOT_FOUND:
            assert time.monotonic() < deadline, f"{name} is not gone"
            time.sleep(0.05)

    def _post(
        self, path: str, body: dict[str, Any], *, dry: bool, client: httpx.Client | None = None
    ) -> Answer:
        query = {"fieldValidation": "Strict"} | ({"dryRun": "All"} if dry else {})
        return _answer((client or self._client).post(path, json=body, params=query))


def _answer(response: httpx.Response) -> Answer:
    body = response.json()
    if response.is_success:
        return Answer(accepted=True, causes=(), message="", object=body)
    causes = (body.get("details") or {}).get("causes") or ()
    words = tuple(f"{each.get('field')}: {each.get('message')}" for each in causes)
    return Answer(accepted=False, causes=words, message=body["message"], object={})


def _context(cluster: dict[str, Any], user: dict[str, Any]) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if "certificate-authority" in cluster:
        context.load_verify_locations(cafile=cluster["certificate-authority"])
    elif "certificate-authority-data" in cluster:
        context.load_verify_locations(
            cadata=b64decode(cluster["certificate-authority-data"]).decode()
        )
    else:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if "client-certificate" in user:
        context.load_cert_chain(user["client-certificate"], user["client-key"])
    elif "client-certificate-data" in user:
        with TemporaryDirectory() as folder:
            pair = Path(folder, "pair.pem")
            pair.write_bytes(
                b64decode(user["client-certificate-data"]) + b64decode(user["client-key-data"])
            )
            context.load_cert_chain(pair)
    return context
