"""Asks for an access token per endpoint, and logs when an endpoint begins or ceases to fail.

It runs on each replica, so that a wrong identity is known at the start and not with the first
window that is due. On the leader it also probes an endpoint to which no call went for a minute, so
that the endpoint does not count as well only because nothing was due.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Final

from worker.kusto.client import EndpointClient
from worker.kusto.health import State

log = logging.getLogger(__name__)

_LOGIN_PERIOD: Final = 20.0
_REPORT_PERIOD: Final = 2.0
_PROBE_AFTER: Final = 60.0
_IDLE_CHECK_PERIOD: Final = 5.0


class EndpointMonitor:
    """One task per endpoint, and one that logs."""

    def __init__(
        self,
        endpoints: Iterable[EndpointClient],
        login_changed: Callable[[str], None],
        is_leader: Callable[[], bool],
    ) -> None:
        """``login_changed`` gets the URL of an endpoint whose login began or ceased to work."""
        self._endpoints = tuple(endpoints)
        self._login_changed = login_changed
        self._is_leader = is_leader
        self._reported: dict[str, State] = {}

    async def run(self) -> None:
        """Ask and log until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for endpoint in self._endpoints:
                if endpoint.identity:
                    tasks.create_task(self._follow_login(endpoint), name=f"login-{endpoint.url}")
                tasks.create_task(self._probe_if_idle(endpoint), name=f"probe-{endpoint.url}")
            while True:
                self._report()
                await asyncio.sleep(_REPORT_PERIOD)

    async def _follow_login(self, endpoint: EndpointClient) -> None:
        """Ask for a token again and again: azure-identity caches a valid one."""
        while True:
            before, had_token = endpoint.login_error, endpoint.health.has_token
            await endpoint.check_login()
            if endpoint.login_error != before:
                self._login_changed(endpoint.url)
            if endpoint.health.has_token and not had_token:
                log.info("endpoint %s: got a token as %s", endpoint.url, endpoint.identity)
            await asyncio.sleep(_LOGIN_PERIOD)

    async def _probe_if_idle(self, endpoint: EndpointClient) -> None:
        while True:
            if self._is_leader() and endpoint.idle_seconds >= _PROBE_AFTER:
                await endpoint.probe()
            await asyncio.sleep(_IDLE_CHECK_PERIOD)

    def _report(self) -> None:
        for endpoint in self._endpoints:
            health = endpoint.health
            if health.state != self._reported.get(endpoint.url, "unknown"):
                level = logging.WARNING if health.state == "failing" else logging.INFO
                log.log(level, "endpoint %s %s", endpoint.url, health)
            self._reported[endpoint.url] = health.state
