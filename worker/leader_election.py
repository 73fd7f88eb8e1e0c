"""Leader election on a Kubernetes Lease: at most one process acts as leader.

This holds even if a request or the whole process is delayed. ``LeaderElector.run`` waits for the
Lease, and then runs the work. It cancels the work at the renew deadline, which is before any other
process may take the Lease. The rules:

1.  This module measures time only with the monotonic clock of this process. It writes
    ``acquireTime`` and ``renewTime`` for other programs, and does not use them itself.
2.  The leader reads the clock, and *then* sends a renewal. If the renewal succeeds, the leader may
    lead until the time that it read plus ``renew_deadline``. A candidate sees the renewal after
    that time, and then waits for ``duration``. Because ``renew_deadline`` < ``duration``, the
    leader stops before a candidate may take the Lease. Late or lost replies do not change this.
3.  At the renew deadline, ``run`` cancels the work and waits until it has ended. Only then may this
    process try to lead again.
4.  The event loop cancels the work. While the process is suspended (SIGSTOP, a paused VM), the
    event loop does not run. When the process resumes, the work may run before the event loop
    cancels it. So each side effect first calls ``Leadership.check``, which only reads the clock.
5.  Each write contains the resourceVersion that was read. If two candidates write, one of them gets
    a ``Conflict``. It reads the Lease again before its next write.
6.  If the work ends before the renew deadline, ``run`` releases the Lease. The next leader then
    does not wait until the Lease expires.
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
    """An interface that reads Leases and writes them by compare-and-swap.

    ``within`` is the timeout of a call in seconds.
    """

    async def read(self, name: str, *, within: float) -> dict[str, Any] | None:
        """Return the Lease, or None if there is none."""
        ...

    async def create(self, name: str, spec: dict[str, Any], *, within: float) -> dict[str, Any]:
        """Create the Lease and return it. Raise ``Conflict`` if it exists already."""
        ...

    async def replace(
        self, lease: dict[str, Any], spec: dict[str, Any], *, within: float
    ) -> dict[str, Any]:
        """Write ``spec`` and return the Lease. Raise ``Conflict`` if ``lease`` is not current."""
        ...


@dataclass(frozen=True, slots=True)
class Timing:
    """Durations in seconds. The defaults are those of Kubernetes' own controllers.

    Attributes:
        duration: a Lease expires if nobody renews it for this time.
        renew_deadline: a leader stops if it cannot renew the Lease for this time.
        retry: the delay between two renewals, or between two attempts to take the Lease.
    """

    duration: float = 15.0
    renew_deadline: float = 10.0
    retry: float = 2.0

    def __post_init__(self) -> None:
        if not 0 < self.retry < self.renew_deadline < self.duration:
            raise ValueError("a Lease needs 0 < retry < renew deadline < duration")

    @property
    def request(self) -> float:
        """The timeout of one request in seconds.

        The delay ``retry`` and two such timeouts together take ``renew_deadline``.
        """
        return (self.renew_deadline - self.retry) / 2


class Leadership:
    """The period from taking the Lease to the renew deadline. Implements ``worker.ports.Fence``."""

    def __init__(self, clock: Clock, until: float) -> None:
        self._clock = clock
        self._until = until

    @property
    def remaining(self) -> float:
        """The seconds until the renew deadline; 0 or less if it has passed."""
        return self._until - self._clock.monotonic()

    def check(self) -> None:
        """Return if a side effect may happen now.

        Raises:
            LeaseLost: the renew deadline has passed, or the leadership was ended.
        """
        if self.remaining <= 0:
            raise LeaseLost("the Lease was not renewed in time; another worker may be leading")

    def extend(self, until: float) -> None:
        """Set the renew deadline after a renewal. It never moves to an earlier time."""
        self._until = max(self._until, until)

    def revoke(self) -> None:
        """End the leadership now: the Lease is lost, or is about to be released."""
        self._until = self._clock.monotonic()


Work = Callable[[Leadership], Awaitable[None]]


class LeaderElector:
    """One candidate for one Lease.

    ``identity`` must be unique among the processes that run at the same time. If the holder of the
    Lease has the candidate's identity, the candidate takes the Lease without waiting. Two processes
    with the same identity could therefore both lead.
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
        self._logged_reason = ""
        self._leadership: Leadership | None = None

    @property
    def is_leader(self) -> bool:
        """Whether this candidate is the leader now."""
        return self._leadership is not None and self._leadership.remaining > 0

    @property
    def lease(self) -> Mapping[str, Any]:
        """The spec of the Lease that this candidate last read or wrote; empty before that."""
        return (self._held or {}).get("spec") or {}

    async def run(self, work: Work) -> None:
        """Wait for the Lease, run ``work`` to its end, and release the Lease.

        Raises:
            LeaseLost: the Lease was lost, or was not renewed in time. The work was cancelled and
                has ended. The caller may call ``run`` again.
            BaseException: the exception of ``work``, after the Lease was released.
        """
        leadership = await self._try_acquire()
        while leadership is None:
            await asyncio.sleep(self._backoff.next())
            leadership = await self._try_acquire()
        self._backoff.reset()
        self._logged_reason = ""
        log.info("leading: %s holds the Lease %s", self._identity, self._name)
        try:
            await self._run_as_leader(work, leadership)
        finally:
            await self._release(leadership)
            self._leadership = None

    async def _try_acquire(self) -> Leadership | None:
        """Take the Lease if this candidate may; None if it may not, or if a request failed."""
        began = self._clock.monotonic()
        try:
            lease = await self._leases.read(self._name, within=self._timing.request)
            if lease is not None and not self._is_free(lease):
                self._held = lease
                holder = lease["spec"]["holderIdentity"]
                self._log_not_leading(f"{holder} holds the Lease {self._name}")
                return None
            began = self._clock.monotonic()
            self._held = await self._take(lease)
        except OperatorError as error:
            self._log_not_leading(f"the Lease {self._name} was not taken: {error}")
            return None
        self._leadership = Leadership(self._clock, began + self._timing.renew_deadline)
        return self._leadership

    def _log_not_leading(self, reason: str) -> None:
        """Log why this candidate does not lead, unless it has just logged the same reason."""
        if reason != self._logged_reason:
            log.info("not leading: %s", reason)
        self._logged_reason = reason

    def _is_free(self, lease: dict[str, Any]) -> bool:
        """Return whether this candidate may take the Lease, which it has just read.

        It may in three cases:

        - Nobody holds the Lease.
        - The Lease has this candidate's identity: the reply to the candidate's write was lost, or
          its process was restarted.
        - The Lease has expired: ``duration`` has passed since this candidate first read the current
          resourceVersion of the Lease.
        """
        spec, version = lease.get("spec") or {}, str(lease["metadata"]["resourceVersion"])
        now = self._clock.monotonic()
        if self._seen is None or self._seen[0] != version:
            self._seen = (version, now)
        holder = spec.get("holderIdentity")
        if not holder or holder == self._identity:
            return True
        # The longer of two durations: that of the holder, and that of this candidate.
        duration = max(float(spec.get("leaseDurationSeconds") or 0), self._timing.duration)
        return now - self._seen[1] >= duration

    async def _run_as_leader(self, work: Work, leadership: Leadership) -> None:
        """Run the work and the renewals concurrently. When one of them ends, cancel the other."""
        renewing = asyncio.create_task(self._renew(leadership), name="renew-lease")
        working = asyncio.ensure_future(work(leadership))
        try:
            await asyncio.wait({renewing, working}, return_when=asyncio.FIRST_COMPLETED)
            lost = renewing.done() and not working.done()
        finally:
            try:
                await _cancel_and_wait(working, "the leader's work")
            finally:
                await _cancel_and_wait(renewing, "the renewal of the Lease")
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
        """Renew the Lease every ``retry`` seconds, until the leadership has ended."""
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
        """Read the Lease after a renewal that failed, or whose result is not known.

        If this process still holds the Lease, keep the version that was read. If not, end the
        leadership.
        """
        lease = await self._leases.read(self._name, within=self._timing.request)
        if lease is None or (lease.get("spec") or {}).get("holderIdentity") != self._identity:
            leadership.revoke()
        else:
            # Do not extend the leadership: the time of the stored renewal is not known. The next
            # renewal extends it.
            self._held = lease

    async def _release(self, leadership: Leadership) -> None:
        if leadership.remaining <= 0 or self._held is None:
            return
        leadership.revoke()
        try:
            await self._write_release(self._held)
        except OperatorError as error:
            text = "the Lease %s was not released; the next leader waits until it expires: %s"
            log.warning(text, self._name, error)

    async def _write_release(self, held: dict[str, Any]) -> None:
        """Release the Lease.

        This process may have cancelled a renewal, and the API server may still store it. Then the
        release gets a ``Conflict``. In this case, read the Lease and write the release again.
        """
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
        raise Conflict(f"the Lease changed before each of {_RELEASE_ATTEMPTS} attempts")

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
    """Raise ``LeaseLost`` instead of an exception group that contains nothing else."""
    try:
        yield
    except BaseExceptionGroup as group:
        lost, rest = group.split(LeaseLost)
        if lost is None or rest is not None:
            raise
        raise LeaseLost("the work stopped because the Lease was lost") from group


async def _cancel_and_wait(task: "asyncio.Future[None]", name: str) -> None:
    """Cancel ``task`` and wait until it has ended, without a timeout.

    If the caller is cancelled while it waits, raise ``CancelledError`` after ``task`` has ended.
    """
    task.cancel()
    interrupted: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as error:
            interrupted = error
    if not task.cancelled() and task.exception() is not None:
        log.info("%s ended with %r", name, task.exception())
    if interrupted is not None:
        raise interrupted


def _micro_time(ticks: int) -> str:
    """Return a ``metav1.MicroTime``: RFC 3339 with exactly six fraction digits."""
    text = str(Instant(ticks // 10_000_000 * 10_000_000))
    return f"{text[:-1]}.{ticks % 10_000_000 // 10:06d}Z"
