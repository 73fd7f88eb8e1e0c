"""A small client of the API server: admin credentials, objects as plain JSON."""

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import aiohttp

from devstack.controlplane import ControlPlane
from devstack.pki import Pair, client_tls_context

Object = dict[str, Any]

MERGE = "application/merge-patch+json"
JSON = "application/json"
NOT_FOUND = 404
CONFLICT = 409
WATCH_TIMEOUT = 300


class ApiError(Exception):
    """The server answered with an error; `status` is the HTTP code."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status


API_ERRORS = (ApiError, aiohttp.ClientError, TimeoutError)
"""The errors of a request, all of which may be temporary."""


class ApiClient:
    """A client of one API server. Call `open` before use and `close` after it."""

    def __init__(self, plane: ControlPlane) -> None:
        self._plane = plane
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Create the connection pool in the running event loop."""
        context = client_tls_context(self._plane.ca, Pair(self._plane.certificate, self._plane.key))
        self._session = aiohttp.ClientSession(
            self._plane.server, connector=aiohttp.TCPConnector(ssl=context, limit=64)
        )

    async def close(self) -> None:
        """Close every connection, including those of watches."""
        if self._session is not None:
            await self._session.close()

    async def get(self, path: str) -> Object | None:
        """Read an object or a list; None when it does not exist."""
        try:
            return await self._request("GET", path)
        except ApiError as error:
            if error.status == NOT_FOUND:
                return None
            raise

    async def create(self, path: str, body: Mapping[str, Any]) -> Object | None:
        """Create an object; None when one of that name exists."""
        try:
            return await self._request("POST", path, body)
        except ApiError as error:
            if error.status == CONFLICT:
                return None
            raise

    async def patch(self, path: str, body: Mapping[str, Any]) -> Object | None:
        """Merge `body` into an object; None when it does not exist."""
        try:
            return await self._request("PATCH", path, body, MERGE)
        except ApiError as error:
            if error.status == NOT_FOUND:
                return None
            raise

    async def delete(self, path: str, *, uid: str, grace: int | None = None) -> None:
        """Delete the object with this uid; do nothing when it is gone or has another uid."""
        options: Object = {"preconditions": {"uid": uid}}
        if grace is not None:
            options["gracePeriodSeconds"] = grace
        try:
            await self._request("DELETE", path, options)
        except ApiError as error:
            if error.status not in {NOT_FOUND, CONFLICT}:
                raise

    async def watch(self, path: str, version: str) -> AsyncIterator[Object]:
        """Yield watch events after `version` until the server ends the stream."""
        query = {"watch": "1", "resourceVersion": version, "timeoutSeconds": str(WATCH_TIMEOUT)}
        timeout = aiohttp.ClientTimeout(total=None, sock_read=WATCH_TIMEOUT + 30)
        async with self._require_session().get(path, params=query, timeout=timeout) as answer:
            if answer.status != 200:  # noqa: PLR2004 - OK
                raise ApiError(answer.status, await answer.text())
            rest = b""
            async for chunk in answer.content.iter_any():
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    yield json.loads(line)

    async def _request(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, kind: str = JSON
    ) -> Object:
        text = None if body is None else json.dumps(body)
        headers = {"Content-Type": kind}
        async with self._require_session().request(
            method, path, data=text, headers=headers
        ) as answer:
            found: Object = await answer.json(content_type=None)
            if answer.status >= 400:  # noqa: PLR2004 - an error
                raise ApiError(answer.status, f"{method} {path}: {found.get('message', found)}")
            return found

    def _require_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise RuntimeError("the API client is not open")
        return self._session
