"""Clients of the API server (as admin) and of etcd, without kubectl.

Tests act through kubectl, as users do. Polling uses these clients: one kubectl costs 0.1 s of CPU
time, which the worker would lack.
"""

import base64
import json
import ssl
from typing import Any
from urllib.request import Request, urlopen

from devstack.pki import Pair, client_tls_context
from devstack.stack import Stack

RULES = "/apis/adx-mon.azure.com/v1/namespaces/default/summaryrules"
JSON = "application/json"
MERGE = "application/merge-patch+json"
TIMEOUT = 20.0

Object = dict[str, Any]


class Api:
    """The API server of a stack."""

    def __init__(self, stack: Stack) -> None:
        self._url = stack.process("kube-apiserver").address
        self._context = _context(stack, "admin")

    def get(self, path: str) -> Object:
        """Read an object or a list.

        Raises:
            HTTPError: it does not exist.
        """
        return _send(self._context, Request(self._url + path))  # noqa: S310 - https

    def patch(self, path: str, change: Object) -> Object:
        """Merge a change into an object."""
        return _send(self._context, _request(self._url + path, change, "PATCH", MERGE))

    def put(self, path: str, found: Object) -> Object:
        """Replace an object."""
        return _send(self._context, _request(self._url + path, found, "PUT", JSON))


class Etcd:
    """etcd, which does not validate what is written to it."""

    def __init__(self, stack: Stack) -> None:
        self._url = stack.process("etcd").address
        self._context = _context(stack, "etcd-client")

    def put(self, rule: Object) -> None:
        """Store a rule without the API server's validation, as another version might have done."""
        name = rule["metadata"]["name"]
        key = f"/registry/adx-mon.azure.com/summaryrules/default/{name}"
        pair = {"key": _base64(key), "value": _base64(json.dumps(rule))}
        _send(self._context, _request(f"{self._url}/v3/kv/put", pair, "POST", JSON))


def _context(stack: Stack, user: str) -> ssl.SSLContext:
    pki = stack.state_dir.pki
    return client_tls_context(pki / "ca.crt", Pair(pki / f"{user}.crt", pki / f"{user}.key"))


def _request(url: str, body: Object, method: str, kind: str) -> Request:
    data = json.dumps(body).encode()
    return Request(url, data=data, method=method, headers={"Content-Type": kind})  # noqa: S310


def _send(context: ssl.SSLContext, request: Request) -> Object:
    with urlopen(request, timeout=TIMEOUT, context=context) as answer:  # noqa: S310 - https
        found: Object = json.load(answer)
        return found


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
