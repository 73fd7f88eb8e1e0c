"""Runs a query on a Kusto endpoint over HTTP, as the user.

The request and the answer are those of Kusto's documentation, "Query V1 HTTP response". A loopback
endpoint needs no login. Any other one gets a token of the user's own ``az`` login.
"""

import json
import shutil
import subprocess
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

from plugin.formatting import plural
from plugin.kubectl import RefusedError, UsageError

LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
TIMEOUT_SECONDS: Final = 300
MAX_ERROR: Final = 1_000
"""Characters of an error that are shown."""


@dataclass(frozen=True, slots=True)
class QueryResult:
    """The names of the columns, and the rows."""

    columns: list[str]
    rows: list[list[Any]]


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Refuses redirects: the token is for this endpoint only."""

    def redirect_request(self, *_: object) -> None:
        """Follow none."""


def run_query(endpoint: str, database: str, query: str, *, max_rows: int) -> QueryResult:
    """The first ``max_rows`` rows of a query.

    Raises:
        UsageError: the endpoint is not a URL that may get a token.
        RefusedError: there is no token, the endpoint does not answer, or it refuses the query.
    """
    url = _parse_endpoint(endpoint)
    is_loopback = url.hostname in LOOPBACK
    origin = f"{url.scheme}://{url.netloc}"
    login = {} if is_loopback else {"Authorization": f"Bearer {_token(origin)}"}
    options = {"request_readonly": True, "query_take_max_records": max_rows}
    body = {"db": database, "csl": query, "properties": {"Options": options}}
    request = urllib.request.Request(  # noqa: S310 - _parse_endpoint allows http and https only
        f"{origin}/v1/rest/query",
        json.dumps(body).encode(),
        {"Content-Type": "application/json", "x-ms-app": "kubectl-summaryrule", **login},
    )
    proxies = [urllib.request.ProxyHandler({})] if is_loopback else []
    opener = urllib.request.build_opener(_NoRedirect, *proxies)
    try:
        with opener.open(request, timeout=TIMEOUT_SECONDS) as answer:
            return _read(json.load(answer), max_rows)
    except urllib.error.HTTPError as error:
        raise RefusedError(f"{origin} refuses the query: {_message(error)}") from error
    except (OSError, ValueError) as error:
        raise RefusedError(f"{origin} gives no usable answer: {error}") from error


def _parse_endpoint(endpoint: str) -> SplitResult:
    url = urlsplit(endpoint)
    is_safe = url.scheme == "https" or (url.scheme == "http" and url.hostname in LOOPBACK)
    if not url.hostname or not is_safe or "@" in url.netloc:
        raise UsageError(
            f"{endpoint!r} is not a Kusto endpoint; write it like"
            " https://CLUSTER.REGION.kusto.windows.net (http on loopback only)"
        )
    return url


def _token(resource: str) -> str:
    az = shutil.which("az")
    if az is None:
        raise RefusedError("az is not on PATH: install the Azure CLI, then run az login")
    words = ["account", "get-access-token", "--resource", resource, "--output", "json"]
    done = subprocess.run(  # noqa: S603 - the user's own az, no shell between
        [az, *words], capture_output=True, encoding="utf-8", check=False
    )
    if done.returncode:
        raise RefusedError(f"az gives no token: {' '.join(done.stderr.split())}")
    return str(json.loads(done.stdout)["accessToken"])


def _read(answer: Any, max_rows: int) -> QueryResult:  # noqa: ANN401 - JSON
    try:
        table = answer["Tables"][0]
        columns = [str(each["ColumnName"]) for each in table["Columns"]]
        rows = table["Rows"]
    except (KeyError, IndexError, TypeError) as error:
        raise RefusedError("the endpoint gives no usable answer: it has no table") from error
    failed = [str(row) for row in rows if not isinstance(row, list)]
    if failed:  # an error after the first rows takes the place of a row
        before = plural(len(rows) - len(failed), "row")
        raise RefusedError(f"the query failed after {before}: {failed[0][:MAX_ERROR]}")
    return QueryResult(columns, rows[:max_rows])


def _message(error: urllib.error.HTTPError) -> str:
    text = error.read().decode(errors="replace")
    try:
        found = json.loads(text)["error"]
        text = str(found.get("@message") or found["message"])
    except (ValueError, KeyError, TypeError, AttributeError):
        text = text or error.reason
    return f"HTTP {error.code}: {' '.join(text.split())[:MAX_ERROR]}"
