"""A call that may go out no more is not sent, however far it has come."""

import pytest

from tests.worker.misbehaving import Misbehaving, reply
from worker import permit
from worker.clock import SystemClock
from worker.errors import LeaseLost, WorkerError
from worker.kusto.service import Service


def lost() -> None:
    raise LeaseLost("another worker may be leading")


async def test_a_submit_whose_lease_is_lost_while_it_connects_is_not_sent() -> None:
    async with Misbehaving(reply(200, b"{}")) as server:
        service = Service(server.url, SystemClock())
        with permit.required(lost), pytest.raises(LeaseLost):
            await service.call("submit", "Telemetry", ".set-or-append async T <| print 1")
        assert server.requests == []
        await service.close()


async def test_a_connection_of_the_pool_is_not_written_to_either() -> None:
    async with Misbehaving(reply(200, b"{}")) as server:
        service = Service(server.url, SystemClock())
        for ensure, error in ((lambda: None, WorkerError), (lost, LeaseLost), (lost, LeaseLost)):
            with permit.required(ensure), pytest.raises(error):
                await service.call("submit", "Telemetry", ".set-or-append async T <| print 1")
        assert len(server.requests) == 1
        await service.close()


async def test_what_asks_for_no_permit_is_sent() -> None:
    async with Misbehaving(reply(200, b"{}")) as server:
        service = Service(server.url, SystemClock())
        with pytest.raises(WorkerError):
            await service.call("poll", "Telemetry", ".show operations")
        assert len(server.requests) == 1
        await service.close()
