"""The few requests that a kubelet makes of the API server, as admin and as plain JSON.

Used by every module of this package. Objects are JSON as the server sends it.
"""

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import aiohttp

from devstack.controlplane import ControlPlane
from devstack.pki import Pair
from devstack.probes import mutual

Object = dict[str, Any]

MERGE = "application/merge-patch+json"
JSON = "application/json"
NOT_FOUND = 404
CONFLICT = 409
QUIET_SECONDS = 300


class ApiError(Exception):
    """The server's answer to a request was no; `status` is its HTTP code."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status


UNREACHABLE = (ApiError, aiohttp.ClientError, TimeoutError)
"""What a request may raise; all of it may pass."""


class Api:
    """The API server of one control plane; open it before use, close it after."""

    def __init__(self, plane: ControlPlane) -> None:
        self._plane = plane
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Make the connection pool; it belongs to the running loop."""
        context = mutual(self._plane.ca, Pair(self._plane.certificate, self._plane.key))
        self._session = aiohttp.ClientSession(
            self._plane.server, connector=aiohttp.TCPConnector(ssl=context, limit=64)
        )

    async def close(self) -> None:
        """Close every connection, the watches' among them."""
        if self._session is not None:
            await self._session.close()

    async def get(self, path: str) -> Object | None:
        """Read an object or a list; None when there is none."""
        try:
            return await self._ask("GET", path)
        except ApiError as error:
            if error.status == NOT_FOUND:
                return None
            raise

    async def create(self, path: str, body: Mapping[str, Any]) -> Object | None:
        """Create an object; None when one of that name is there."""
        try:
            return await self._ask("POST", path, body)
        except ApiError as error:
            if error.status == CONFLICT:
                return None
            raise

    async def patch(self, path: str, body: Mapping[str, Any]) -> Object | None:
        """Merge `body` into an object; None when it is gone."""
        try:
            return await self._ask("PATCH", path, body, MERGE)
        except ApiError as error:
            if error.status == NOT_FOUND:
                return None
            raise

    async def delete(self, path: str, *, uid: str, grace: int | None = None) -> None:
        """Delete the object with this uid, content when it is gone or another."""
        options: Object = {"preconditions": {"uid": uid}}
        if grace is not None:
            options["gracePeriodSeconds"] = grace
        try:
            await self._ask("DELETE", path, options)
        except ApiError as error:
            if error.status not in {NOT_FOUND, CONFLICT}:
                raise

    async def watch(self, path: str, version: str) -> AsyncIterator[Object]:
        """Yield watch events from `version` on, until the server ends the stream."""
        query = {"watch": "1", "resourceVersion": version, "timeoutSeconds": str(QUIET_SECONDS)}
        patience = aiohttp.ClientTimeout(total=None, sock_read=QUIET_SECONDS + 30)
        async with self._open().get(path, params=query, timeout=patience) as answer:
            if answer.status != 200:  # noqa: PLR2004 - OK
                raise ApiError(answer.status, await answer.text())
            rest = b""
            async for chunk in answer.content.iter_any():
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    yield json.loads(line)

    async def _ask(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, kind: str = JSON
    ) -> Object:
        text = None if body is None else json.dumps(body)
        headers = {"Content-Type": kind}
        async with self._open().request(method, path, data=text, headers=headers) as answer:
            found: Object = await answer.json(content_type=None)
            if answer.status >= 400:  # noqa: PLR2004 - an error
                raise ApiError(answer.status, f"{method} {path}: {found.get('message', found)}")
            return found

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise RuntimeError("the API is not open")
        return self._session
