"""A way to Leases that fails when it is told to."""

import asyncio
from typing import Any

from runtime.errors import Unreachable
from worker.leader_election import Leases


class Disconnect:
    """Leases behind a line that can be cut: calls then hang to their deadline, or time out."""

    def __init__(self, leases: Leases) -> None:
        self._leases = leases
        self.is_cut = False
        self.hangs_past_deadline = False

    async def _pass(self, within: float) -> None:
        if not self.is_cut:
            return
        await asyncio.sleep(1e6 if self.hangs_past_deadline else within)
        raise Unreachable("no answer in time")

    async def read(self, name: str, *, within: float) -> dict[str, Any] | None:
        await self._pass(within)
        return await self._leases.read(name, within=within)

    async def create(self, name: str, spec: dict[str, Any], *, within: float) -> dict[str, Any]:
        await self._pass(within)
        return await self._leases.create(name, spec, within=within)

    async def replace(
        self, lease: dict[str, Any], spec: dict[str, Any], *, within: float
    ) -> dict[str, Any]:
        await self._pass(within)
        return await self._leases.replace(lease, spec, within=within)
