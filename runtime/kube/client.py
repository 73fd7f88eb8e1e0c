"""Requests to the API server, and the paths of its resources.

Uses the authentication and TLS of the client library, and replaces its typed layer: msgspec decodes
bodies, and every failure becomes one of ``runtime.errors``.
"""

import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
import msgspec
from kubernetes.aio.client.api_client import ApiClient

from runtime.errors import Ambiguous, Observe, Temporary, Unreachable, ignore, observed
from runtime.kube.errors import error_for_status
from summaryrule.api.constants import GROUP, KIND, PLURAL, VERSION

MERGE_PATCH: Final = "application/merge-patch+json"
JSON: Final = "application/json"
JSON_PATCH: Final = "application/json-patch+json"
Query = Mapping[str, str]
Body = dict[str, Any] | list[dict[str, Any]] | None


class KubeClient:
    """The API server behind one configured client."""

    def __init__(self, client: ApiClient, *, observe: Observe = ignore) -> None:
        """``observe`` gets each call by its verb."""
        self._client = client
        self._observe = observe

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        body: Body = None,
        content_type: str = JSON,
        timeout: float = 15.0,  # noqa: ASYNC109 - handed to the HTTP client, which can tell a lost reply
    ) -> dict[str, Any]:
        """Send it and return the decoded reply.

        Raises:
            OperatorError: see ``runtime.kube.errors``; ``Ambiguous`` for a write whose connection
                was lost, or that took longer than ``timeout`` seconds.
        """
        limits = aiohttp.ClientTimeout(total=timeout)
        with observed(self._observe, method), _mapped_errors(f"{method} {path}"):
            response = await self._send(
                method, path, query or {}, limits, body=body, content_type=content_type
            )
            async with response:
                data = await response.read()
                _require_success(method, path, response, data)
            return _decode(f"{method} {path}", data)

    @contextlib.asynccontextmanager
    async def stream(
        self, path: str, query: Query, *, silence: float
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """A GET whose body is read as it comes, in chunks of any size.

        Raises:
            OperatorError: when opening fails; ``Temporary`` when the body breaks off, or when no
                byte comes for ``silence`` seconds (a hung connection looks like a quiet one).
        """
        limits = aiohttp.ClientTimeout(total=None, sock_connect=silence, sock_read=silence)
        with observed(self._observe, "WATCH"), _mapped_errors(f"GET {path}"):
            response = await self._send("GET", path, query, limits)
            if response.status != 200:  # noqa: PLR2004 - OK
                async with response:
                    _require_success("GET", path, response, await response.read())
        with _mapped_errors(f"GET {path}"):
            try:
                yield response.content.iter_any()
            finally:
                response.close()

    async def _send(
        self,
        method: str,
        path: str,
        query: Query,
        limits: aiohttp.ClientTimeout,
        *,
        body: Body = None,
        content_type: str = JSON,
    ) -> aiohttp.ClientResponse:
        request = await self._client.param_serialize(
            method,
            path,
            query_params=list(query.items()),
            header_params={"Accept": JSON, "Content-Type": content_type},
            body=body,
            auth_settings=["BearerToken"],
        )
        reply = await self._client.call_api(
            *request, _preload_content=False, _request_timeout=limits
        )
        response: aiohttp.ClientResponse = reply.response
        return response


def _require_success(method: str, path: str, response: aiohttp.ClientResponse, data: bytes) -> None:
    if not 200 <= response.status < 300:  # noqa: PLR2004 - HTTP's successes
        raise error_for_status(f"{method} {path}", response.status, data, response.headers)


def _decode(what: str, data: bytes) -> dict[str, Any]:
    try:
        decoded = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _no_reply(what, "the reply is no JSON") from error
    if not isinstance(decoded, dict):
        raise _no_reply(what, "the reply is no JSON object")
    return decoded


@contextlib.contextmanager
def _mapped_errors(what: str) -> Iterator[None]:
    """Map errors of the connection to ``runtime.errors``."""
    try:
        yield
    except aiohttp.ClientConnectorError as error:
        raise Unreachable(f"cannot reach the API server: {error}") from error
    except TimeoutError as error:
        raise _no_reply(what, "no answer in time") from error
    except (aiohttp.ClientError, OSError) as error:
        raise _no_reply(what, f"the connection broke ({type(error).__name__})") from error


def _no_reply(what: str, why: str) -> Temporary:
    kind = Unreachable if what.startswith("GET") else Ambiguous
    return kind(f"{what} to the API server: {why}")


@dataclass(frozen=True, slots=True)
class Resource:
    """A namespaced resource of an API group; the core group is ``""``."""

    group: str
    version: str
    plural: str
    kind: str

    @property
    def api_version(self) -> str:
        """As in an object's ``apiVersion``."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def collection(self, namespace: str | None = None) -> str:
        """Path of all objects, or those of one namespace."""
        root = f"/apis/{self.api_version}" if self.group else f"/api/{self.version}"
        inner = f"/namespaces/{namespace}" if namespace else ""
        return f"{root}{inner}/{self.plural}"

    def item(self, namespace: str, name: str) -> str:
        """Path of one object."""
        return f"{self.collection(namespace)}/{name}"


SUMMARY_RULES: Final = Resource(GROUP, VERSION, PLURAL, KIND)
EVENTS: Final = Resource("", "v1", "events", "Event")
LEASES: Final = Resource("coordination.k8s.io", "v1", "leases", "Lease")
