"""Puts rules straight into the API server's store: ten thousand in seconds. For ``many`` only."""

import base64
import json
from collections.abc import Iterable
from typing import Any
from urllib.request import Request, urlopen

from devstack.pki import Pair, client_tls_context
from devstack.stack import Stack


class Store:
    """A stack's etcd, over the JSON form of its API."""

    def __init__(self, stack: Stack) -> None:
        pki = stack.state_dir.pki
        pair = Pair(pki / "etcd-client.crt", pki / "etcd-client.key")
        self._context = client_tls_context(pki / "ca.crt", pair)
        self._url = f"{stack.process('etcd').address}/v3/kv/txn"

    def put(self, rules: Iterable[dict[str, Any]]) -> None:
        """Store these in one transaction: at most 128, which is etcd's limit."""
        puts = [{"request_put": _pair(rule)} for rule in rules]
        body = json.dumps({"success": puts}).encode()
        with urlopen(Request(self._url, data=body), timeout=30, context=self._context):  # noqa: S310
            pass


def _pair(rule: dict[str, Any]) -> dict[str, str]:
    name = rule["metadata"]["name"]
    key = f"/registry/adx-mon.azure.com/summaryrules/default/{name}"
    return {"key": _base64(key), "value": _base64(json.dumps(rule))}


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
