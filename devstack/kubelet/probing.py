"""Asks a container's probes as they are declared.

Used by `pods.py`, which calls `beat` ten times a second. A probe that has not passed yet is asked
at every beat instead of at its period, so that `up` does not wait for a period to pass.
"""

import ssl
import time
from collections.abc import Mapping

from devstack.child import Health, always_healthy
from devstack.kubelet.api import Object
from devstack.kubelet.container import LOOPBACK, port_number
from devstack.probes import answers


class Probe:
    """One probe and its verdict.

    `passing` turns true after `successThreshold` answers; it turns false, and `failed_out` true,
    when answers have been missing for `failureThreshold` periods.
    """

    def __init__(self, declared: Object | None, ask: Health) -> None:
        declared = declared or {}
        self.passing = False
        self.failed_out = False
        self._ask = ask
        self._period = float(declared.get("periodSeconds", 10))
        self._successes = int(declared.get("successThreshold", 1))
        self._patience = self._period * int(declared.get("failureThreshold", 3))
        self.reset()

    def reset(self) -> None:
        """Begin anew, for a container that was started again."""
        self.passing = self.failed_out = False
        self._streak = 0
        self._well_at = time.monotonic()
        self._due = 0.0

    async def beat(self) -> None:
        """Ask if it is time to, and count the answer."""
        if time.monotonic() < self._due:
            return
        self._count(well=await self._ask())
        self._due = time.monotonic() + (self._period if self.passing else 0.0)

    def _count(self, *, well: bool) -> None:
        now = time.monotonic()
        self._streak = self._streak + 1 if well else 0
        self._well_at = now if well else self._well_at
        if self._streak >= self._successes:
            self.passing, self.failed_out = True, False
        elif now - self._well_at >= self._patience:
            self.passing, self.failed_out = False, True


class Probes:
    """The three probes of a container, in the order in which the kubelet minds them."""

    def __init__(self, container: Object, ports: Mapping[int, int]) -> None:
        asked = {
            kind: Probe(container.get(kind), _question(container, kind, ports))
            for kind in ("startupProbe", "livenessProbe", "readinessProbe")
        }
        self._startup, self._liveness = asked["startupProbe"], asked["livenessProbe"]
        self._readiness = asked["readinessProbe"]
        self._pid: int | None = None

    @property
    def ready(self) -> bool:
        """Whether the container may be sent requests."""
        return self._pid is not None and self._readiness.passing

    @property
    def is_dead(self) -> bool:
        """Whether it never started, or lives no more: it is to be started again."""
        return self._startup.failed_out or self._liveness.failed_out

    async def beat(self, pid: int | None) -> None:
        """Ask what is due of the process `pid`; a new one begins anew, none is never ready."""
        if pid != self._pid:
            self._pid = pid
            for probe in (self._startup, self._liveness, self._readiness):
                probe.reset()
        if pid is None:
            return
        if not self._startup.passing:
            await self._startup.beat()
        if self._startup.passing:
            await self._readiness.beat()
            await self._liveness.beat()


def _question(container: Object, kind: str, ports: Mapping[int, int]) -> Health:
    get = container.get(kind, {}).get("httpGet")
    if get is None:
        return always_healthy
    number = port_number(container, get["port"]) or 0
    scheme = get.get("scheme", "HTTP").lower()
    url = f"{scheme}://{LOOPBACK}:{ports.get(number, number)}{get.get('path', '/')}"
    return answers(url, context=_unverified() if scheme == "https" else None)


def _unverified() -> ssl.SSLContext:
    """Like the kubelet's probes: whether the certificate is right is for its callers to say."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
