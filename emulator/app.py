"""The ASGI application: reads an HTTP event, asks `emulator.routes`, sends what comes back.

Bare ASGI, since the endpoint has six paths and a framework would cost a third of its start-up.
`emulator.server` runs it and gives each request the means to cut its own connection.
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from uuid import uuid4

from emulator.endpoint import Endpoint
from emulator.errors import Refusal
from emulator.intake import Call, Receive, body_of
from emulator.routes import LostConnection, Reply, broken, refused, reply_to

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class App:
    """The application of one endpoint."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Serve one lifespan or one request."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            event = (await receive())["type"]
            if event == "lifespan.startup":
                await self._endpoint.start()
            else:
                await self._endpoint.close()
            await send({"type": f"{event}.complete"})
            if event == "lifespan.shutdown":
                return

    async def _http(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        activity = uuid4()
        try:
            query = scope["query_string"].decode("latin-1")
            body = await body_of(receive)
            call = Call(scope["method"], scope["path"].rstrip("/"), query, body, activity)
            reply = await reply_to(self._endpoint, call)
        except LostConnection:
            scope["emulator.abort"]()
            return
        except asyncio.CancelledError:  # a stop that could not wait; uvicorn would log a traceback
            scope["emulator.abort"]()
            return
        except Refusal as refusal:
            reply = refused(refusal, activity, self._endpoint.services.clock())
        except Exception:
            await _send(send, broken(activity, self._endpoint.services.clock()), str(activity))
            raise  # for the log
        await _send(send, reply, str(activity))


async def _send(send: Send, reply: Reply, activity: str) -> None:
    headers = [
        (b"content-type", reply.kind),
        (b"content-length", str(len(reply.body)).encode()),
        (b"x-ms-activity-id", activity.encode()),
        *reply.headers,
    ]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body})
