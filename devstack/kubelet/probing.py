"""Runs a container's probes as they are declared.

A probe that has not passed yet runs at every tick instead of once per period, so that `up` does not
have to wait for a period.
"""

import ssl
import time
from collections.abc import Mapping

from devstack.kubelet.api import Object
from devstack.kubelet.container import LOOPBACK, port_number
from devstack.process_spec import HealthCheck, always_healthy, http_health


class Probe:
    """One probe and its result.

    `passing` becomes true after `successThreshold` successes. It becomes false, and `failed` true,
    after `failureThreshold` periods without a success.
    """

    def __init__(self, declared: Object | None, check: HealthCheck) -> None:
        declared = declared or {}
        self.passing = False
        self.failed = False
        self._check = check
        self._period = float(declared.get("periodSeconds", 10))
        self._successes = int(declared.get("successThreshold", 1))
        self._failure_time = self._period * int(declared.get("failureThreshold", 3))
        self.reset()

    def reset(self) -> None:
        """Start from the beginning, for a container that was restarted."""
        self.passing = self.failed = False
        self._consecutive = 0
        self._last_success = time.monotonic()
        self._due = 0.0

    async def tick(self) -> None:
        """Run the probe if it is due, and count the result."""
        if time.monotonic() < self._due:
            return
        self._count(success=await self._check())
        self._due = time.monotonic() + (self._period if self.passing else 0.0)

    def _count(self, *, success: bool) -> None:
        now = time.monotonic()
        self._consecutive = self._consecutive + 1 if success else 0
        self._last_success = now if success else self._last_success
        if self._consecutive >= self._successes:
            self.passing, self.failed = True, False
        elif now - self._last_success >= self._failure_time:
            self.passing, self.failed = False, True


class ContainerProbes:
    """The startup, liveness and readiness probes of a container."""

    def __init__(self, container: Object, ports: Mapping[int, int]) -> None:
        probes = {
            kind: Probe(container.get(kind), _probe_check(container, kind, ports))
            for kind in ("startupProbe", "livenessProbe", "readinessProbe")
        }
        self._startup, self._liveness = probes["startupProbe"], probes["livenessProbe"]
        self._readiness = probes["readinessProbe"]
        self._pid: int | None = None

    @property
    def ready(self) -> bool:
        """Whether the container may receive requests."""
        return self._pid is not None and self._readiness.passing

    @property
    def needs_restart(self) -> bool:
        """Whether the startup or the liveness probe has failed."""
        return self._startup.failed or self._liveness.failed

    async def tick(self, pid: int | None) -> None:
        """Run the probes that are due for the process `pid`; a new pid resets them."""
        if pid != self._pid:
            self._pid = pid
            for probe in (self._startup, self._liveness, self._readiness):
                probe.reset()
        if pid is None:
            return
        if not self._startup.passing:
            await self._startup.tick()
        if self._startup.passing:
            await self._readiness.tick()
            await self._liveness.tick()


def _probe_check(container: Object, kind: str, ports: Mapping[int, int]) -> HealthCheck:
    get = container.get(kind, {}).get("httpGet")
    if get is None:
        return always_healthy
    number = port_number(container, get["port"]) or 0
    scheme = get.get("scheme", "HTTP").lower()
    url = f"{scheme}://{LOOPBACK}:{ports.get(number, number)}{get.get('path', '/')}"
    return http_health(url, context=_unverified() if scheme == "https" else None)


def _unverified() -> ssl.SSLContext:
    """Return a context that verifies nothing, as with the kubelet's probes."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
