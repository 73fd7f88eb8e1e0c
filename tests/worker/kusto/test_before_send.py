"""The fence is asked when a submit has all that it waits for; if it raises, nothing is sent."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from runtime.clock import SystemClock
from runtime.errors import LeaseLost, OperatorError
from tests.worker.eventually import eventually
from tests.worker.misbehaving import Misbehaving, hang, reply
from worker.kusto.client import EndpointClient

COMMAND = ".set-or-append async T <| print 1"


def lost() -> None:
    raise LeaseLost("another worker may be leading")


class SlowCredential:
    """An azure-identity credential whose tokens come when `ready` is set."""

    def __init__(self) -> None:
        self.asked, self.ready = asyncio.Event(), asyncio.Event()

    async def get_token(self, *_scopes: str) -> Any:
        self.asked.set()
        await self.ready.wait()
        return type("AccessToken", (), {"token": "eyJtoken"})


class Term:
    """A Lease that can be lost; `checks` counts how often it was asked for."""

    def __init__(self) -> None:
        self.is_lost, self.checks = False, 0

    def check(self) -> None:
        self.checks += 1
        if self.is_lost:
            lost()


async def test_a_submit_whose_lease_is_lost_is_not_sent() -> None:
    async with Misbehaving(reply(200, b"{}")) as server:
        service = EndpointClient(server.url, SystemClock())
        with pytest.raises(LeaseLost):
            await service.call("submit", "Telemetry", COMMAND, before_send=lost)
        assert server.requests == []
        await service.close()


async def test_a_connection_of_the_pool_is_not_written_to_either() -> None:
    async with Misbehaving(reply(200, b"{}")) as server:
        service = EndpointClient(server.url, SystemClock())
        steps: list[tuple[Callable[[], None], type[OperatorError]]] = [
            (lambda: None, OperatorError),
            (lost, LeaseLost),
            (lost, LeaseLost),
        ]
        for check, error in steps:
            with pytest.raises(error):
                await service.call("submit", "Telemetry", COMMAND, before_send=check)
        assert len(server.requests) == 1
        await service.close()


async def test_a_submit_whose_lease_is_lost_while_it_waits_for_its_token_is_not_sent() -> None:
    async with Misbehaving(reply(200, b"{}")) as server:
        credential, term = SlowCredential(), Term()
        service = EndpointClient(server.url, SystemClock(), credential=credential)
        call = service.call("submit", "Telemetry", COMMAND, before_send=term.check)
        submit = asyncio.create_task(call)
        await credential.asked.wait()
        assert term.checks == 0
        term.is_lost = True
        credential.ready.set()
        with pytest.raises(LeaseLost):
            await submit
        assert server.requests == []
        await service.close()


async def test_a_submit_whose_lease_is_lost_while_it_waits_for_a_slot_is_not_sent() -> None:
    async with Misbehaving(hang) as server:
        term = Term()
        service = EndpointClient(server.url, SystemClock(), concurrency=1)
        poll = asyncio.create_task(service.call("poll", "Telemetry", ".show operations"))
        await eventually(lambda: len(server.requests) == 1)
        call = service.call("submit", "Telemetry", COMMAND, before_send=term.check)
        submit = asyncio.create_task(call)
        await asyncio.sleep(0.1)
        assert term.checks == 0
        term.is_lost = True
        poll.cancel()
        with pytest.raises(LeaseLost):
            await submit
        assert len(server.requests) == 1
        await service.close()


async def test_a_stopped_submit_says_nothing_about_the_endpoint() -> None:
    """It neither opens the circuit nor closes it."""
    async with Misbehaving(reply(200, b"{}")) as server:
        service = EndpointClient(server.url, SystemClock())
        for _ in range(5):
            with pytest.raises(LeaseLost):
                await service.call("submit", "Telemetry", COMMAND, before_send=lost)
        assert service.health.state != "failing"
        await service.close()


async def test_a_read_asks_no_fence() -> None:
    async with Misbehaving(reply(200, b"{}")) as server:
        service = EndpointClient(server.url, SystemClock())
        with pytest.raises(OperatorError):
            await service.call("poll", "Telemetry", ".show operations")
        assert len(server.requests) == 1
        await service.close()
