"""Leader election on a Kubernetes Lease: never two leaders, whatever hangs.

``LeaderElector.run`` waits for the Lease, and runs the work for as long as the Lease surely holds.
The rules:

1.  Only the monotonic clock of this process counts. The times in a Lease are written for people
    and never read.
2.  A holder counts from the moment *before* it sent the renewal that succeeded. Others count from
    when they saw that renewal, which is later. So with ``renew_deadline`` < ``duration`` a holder
    stops before another may take over, even if replies are late or lost.
3.  At the renew deadline the work is cancelled, and awaited. Until it has ended, this process does
    not try to lead again.
4.  Cancelling needs the event loop, which stands still while the process is stopped (SIGSTOP, a
    frozen VM). So each side effect first calls ``Leadership.check``, which only reads the clock.
5.  Writes carry the resourceVersion: of two candidates one gets a ``Conflict`` and reads again.
6.  A clean end releases the Lease after the work has ended, so that the next leader need not wait.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from runtime.backoff import Backoff
from runtime.errors import Ambiguous, Conflict, LeaseLost, OperatorError
from summaryrule.api.instant import Instant
from worker.ports import Clock

log = logging.getLogger(__name__)

_RELEASE_ATTEMPTS: Final = 5


class Leases(Protocol):
    """Reads and compare-and-swap writes of Leases; all give up after ``within`` seconds."""

    async def read(self, name: str, *, within: float) -> dict[str, Any] | None:
        """The Lease, or None when there is none."""
        ...

    async def create(self, name: str, spec: dict[str, Any], *, within: float) -> dict[str, Any]:
        """A new Lease; ``Conflict`` when there is one."""
        ...

    async def replace(
        self, lease: dict[str, Any], spec: dict[str, Any], *, within: float
    ) -> dict[str, Any]:
        """Write it if it is still as read; ``Conflict`` otherwise."""
        ...


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds. The defaults are those of Kubernetes' own controllers."""

    duration: float = 15.0
    renew_deadline: float = 10.0
    retry: float = 2.0

    def __post_init__(self) -> None:
        if not 0 < self.retry < self.renew_deadline < self.duration:
            raise ValueError("a Lease needs 0 < retry < renew deadline < duration")

    @property
    def request(self) -> float:
        """The most one request may take: two of them fit before the renew deadline."""
        return (self.renew_deadline - self.retry) / 2


class Leadership:
    """One term as leader, until its renew deadline. Implements ``worker.ports.Fence``."""

    def __init__(self, clock: Clock, until: float) -> None:
        self._clock = clock
        self._until = until

    @property
    def remaining(self) -> float:
        """Seconds until the renew deadline, 0 or less when it has passed."""
        return self._until - self._clock.monotonic()

    def check(self) -> None:
        """Call before each side effect.

        Raises:
            LeaseLost: the renew deadline has passed.
        """
        if self.remaining <= 0:
            raise LeaseLost("the Lease was not renewed in time; another worker may be leading")

    def extend(self, until: float) -> None:
        """The Lease was renewed; only the elector calls it."""
        self._until = max(self._until, until)

    def revoke(self) -> None:
        """Another replica holds the Lease; only the elector calls it."""
        self._until = self._clock.monotonic()


Work = Callable[[Leadership], Awaitable[None]]


class LeaderElector:
    """One candidate for one Lease.

    ``identity`` must differ between any two processes that can be alive at once: a Lease that
    carries it is taken without waiting.
    """

    def __init__(
        self,
        leases: Leases,
        name: str,
        identity: str,
        clock: Clock,
        *,
        timing: Timing | None = None,
        backoff: Backoff | None = None,
    ) -> None:
        self._leases = leases
        self._name = name
        self._identity = identity
        self._clock = clock
        self._timing = timing or Timing()
        self._backoff = backoff or Backoff(self._timing.retry, self._timing.retry)
        self._held: dict[str, Any] | None = None
        self._seen: tuple[str, float] | None = None
        self._leadership: Leadership | None = None

    @property
    def is_leader(self) -> bool:
        """Whether this candidate may act right now."""
        return self._leadership is not None and self._leadership.remaining > 0

    @property
    def lease(self) -> Mapping[str, Any]:
        """The spec of the Lease as this candidate last read or wrote it; empty before that."""
        return (self._held or {}).get("spec") or {}

    async def run(self, work: Work) -> None:
        """Wait for the Lease, run ``work`` to its end, and release the Lease.

        Raises:
            LeaseLost: it could not be renewed; the work was cancelled and has ended. Call again
                to try again.
            BaseException: whatever ``work`` raised; the Lease was released first.
        """
        leadership = await self._try_acquire()
        while leadership is None:
            await asyncio.sleep(self._backoff.next())
            leadership = await self._try_acquire()
        self._backoff.reset()
        log.info("leading: %s holds the Lease %s", self._identity, self._name)
        try:
            await self._run_as_leader(work, leadership)
        finally:
            await self._release(leadership)
            self._leadership = None

    async def _try_acquire(self) -> Leadership | None:
        """Take the Lease if it is free."""
        began = self._clock.monotonic()
        try:
            lease = await self._leases.read(self._name, within=self._timing.request)
            if lease is not None and not self._is_free(lease):
                self._held = lease
                return None
            began = self._clock.monotonic()
            self._held = await self._take(lease)
        except OperatorError as error:
            log.debug("the Lease %s was not taken: %s", self._name, error)
            return None
        self._leadership = Leadership(self._clock, began + self._timing.renew_deadline)
        return self._leadership

    def _is_free(self, lease: dict[str, Any]) -> bool:
        """Released, this process's own after a lost reply, or not renewed until it expired.

        ``lease`` is as just read: expiry is counted from when a version was first shown here.
        """
        spec, version = lease.get("spec") or {}, str(lease["metadata"]["resourceVersion"])
        now = self._clock.monotonic()
        if self._seen is None or self._seen[0] != version:
            self._seen = (version, now)
        holder = spec.get("holderIdentity")
        if not holder or holder == self._identity:
            return True
        # The duration that the holder wrote, but at least that of this process.
        duration = max(float(spec.get("leaseDurationSeconds") or 0), self._timing.duration)
        return now - self._seen[1] >= duration

    async def _run_as_leader(self, work: Work, leadership: Leadership) -> None:
        """Work and renew concurrently; whichever ends first ends the other."""
        renewing = asyncio.create_task(self._renew(leadership), name="renew-lease")
        working = asyncio.ensure_future(work(leadership))
        try:
            await asyncio.wait({renewing, working}, return_when=asyncio.FIRST_COMPLETED)
            lost = renewing.done() and not working.done()
        finally:
            try:
                await _cancel_and_wait(working)
            finally:
                await _cancel_and_wait(renewing)
        if lost:
            renewing.result()
            raise LeaseLost(f"the Lease {self._name} was lost; the work has been stopped")
        with _unwrap_group():
            await working

    async def _take(self, lease: dict[str, Any] | None) -> dict[str, Any]:
        within = self._timing.request
        if lease is None:
            spec = self._spec({}, acquired=True)
            return await self._leases.create(self._name, spec, within=within)
        spec = self._spec(lease.get("spec") or {}, acquired=True)
        return await self._leases.replace(lease, spec, within=within)

    async def _renew(self, leadership: Leadership) -> None:
        """Return when leadership has ended."""
        while leadership.remaining > 0:
            await asyncio.sleep(min(self._timing.retry, max(leadership.remaining, 0)))
            if leadership.remaining <= 0:
                return
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(leadership.remaining):
                    await self._renew_once(leadership)

    async def _renew_once(self, leadership: Leadership) -> None:
        try:
            try:
                await self._write_renewal(leadership)
            except (Conflict, Ambiguous):
                await self._refresh(leadership)
                if leadership.remaining > 0:
                    await self._write_renewal(leadership)
        except OperatorError as error:
            log.warning("the Lease %s was not renewed: %s", self._name, error)

    async def _write_renewal(self, leadership: Leadership) -> None:
        began, held = self._clock.monotonic(), self._held or {}
        self._held = await self._leases.replace(
            held, self._spec(held["spec"]), within=self._timing.request
        )
        leadership.extend(began + self._timing.renew_deadline)

    async def _refresh(self, leadership: Leadership) -> None:
        """Read the Lease: was it this process's own write, whose reply was lost, or another's?"""
        lease = await self._leases.read(self._name, within=self._timing.request)
        if lease is None or (lease.get("spec") or {}).get("holderIdentity") != self._identity:
            leadership.revoke()
        else:
            # Not extended: when that write was stored is not known. The next renewal does it.
            self._held = lease

    async def _release(self, leadership: Leadership) -> None:
        if leadership.remaining <= 0 or self._held is None:
            return
        leadership.revoke()
        try:
            await self._write_release(self._held)
        except OperatorError as error:
            log.warning("the Lease %s was not released, so it has to expire: %s", self._name, error)

    async def _write_release(self, held: dict[str, Any]) -> None:
        """Write the release; again if a renewal that was cut off came in between."""
        lease: dict[str, Any] | None = held
        for _ in range(_RELEASE_ATTEMPTS):
            if lease is None or lease["spec"].get("holderIdentity") != self._identity:
                return
            try:
                spec = self._spec(lease["spec"]) | {"holderIdentity": "", "leaseDurationSeconds": 1}
                await self._leases.replace(lease, spec, within=self._timing.retry)
            except Conflict:
                lease = await self._leases.read(self._name, within=self._timing.retry)
            else:
                return
        raise Conflict("it was written by others each time")

    def _spec(self, before: dict[str, Any], *, acquired: bool = False) -> dict[str, Any]:
        now = _micro_time(self._clock.now())
        spec = before | {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": max(1, round(self._timing.duration)),
            "renewTime": now,
        }
        if acquired:
            spec["acquireTime"] = now
            spec["leaseTransitions"] = int(before.get("leaseTransitions") or 0) + bool(before)
        return spec


@contextlib.contextmanager
def _unwrap_group() -> Iterator[None]:
    """Raise a ``LeaseLost`` that work in a task group wraps in an exception group."""
    try:
        yield
    except BaseExceptionGroup as group:
        lost, rest = group.split(LeaseLost)
        if lost is None or rest is not None:
            raise
        raise LeaseLost("the work saw that the Lease was lost, and stopped") from group


async def _cancel_and_wait(task: "asyncio.Future[None]") -> None:
    """Cancel and wait to the end, however long it takes, even if this is cancelled meanwhile."""
    task.cancel()
    interrupted: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as error:
            interrupted = error
    if not task.cancelled() and task.exception() is not None:
        log.info("ended with %r", task.exception())
    if interrupted is not None:
        raise interrupted


def _micro_time(ticks: int) -> str:
    """``metav1.MicroTime``: RFC 3339 with exactly six fraction digits."""
    text = str(Instant(ticks // 10_000_000 * 10_000_000))
    return f"{text[:-1]}.{ticks % 10_000_000 // 10:06d}Z"
