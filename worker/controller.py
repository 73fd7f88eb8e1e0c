"""The loop: rules that changed or fell due come off the queue, are reconciled, and go back.

Runs under the Lease; wired in ``worker.__main__`` and in the simulation.
"""

import asyncio
import logging
from typing import Final

from runtime.logging import log_context
from worker.errors import LeaseLost, NotFound, Temporary, WorkerError
from worker.kube.store import Key
from worker.metrics import Metrics
from worker.reconciler import Reconciler
from worker.workqueue import WorkQueue

log = logging.getLogger(__name__)

_MAX_REQUEUE_SECONDS: Final = 3600.0
"""Seconds after which a rule is looked at again even if nothing asks for it."""


async def run_workers(
    queue: WorkQueue[Key], reconciler: Reconciler, metrics: Metrics, workers: int
) -> None:
    """Reconcile what the queue gives, ``workers`` rules at a time, until cancelled."""
    async with asyncio.TaskGroup() as tasks:
        for number in range(workers):
            tasks.create_task(_run_worker(queue, reconciler, metrics), name=f"reconcile-{number}")


async def _run_worker(queue: WorkQueue[Key], reconciler: Reconciler, metrics: Metrics) -> None:
    while True:
        key = await queue.get()
        try:
            with log_context(rule="/".join(key)):
                await _reconcile_once(key, queue, reconciler, metrics)
        finally:
            queue.done(key)


async def _reconcile_once(
    key: Key, queue: WorkQueue[Key], reconciler: Reconciler, metrics: Metrics
) -> None:
    try:
        again = (await reconciler.reconcile(key)).requeue_after
    except LeaseLost:
        raise
    except NotFound:
        queue.add(key, 1.0)  # the watch will say that it is gone
    except WorkerError as error:
        at_least = error.delay if isinstance(error, Temporary) else 0.0
        delay = queue.retry(key, at_least)
        if isinstance(error, Temporary) and error.requeue_after is not None:
            queue.add(key, error.requeue_after)
        metrics.reconciled(type(error).__name__)
        log.warning("looking again in %.1f s: %s", delay, error)
    except Exception:  # the bulkhead: a defect that one rule meets must not stop the others
        delay = queue.retry(key)
        metrics.reconciled("defect")
        log.exception("a defect of the worker; looking again in %.1f s", delay)
    else:
        metrics.reconciled("ok")
        queue.forget(key)
        queue.add(key, _MAX_REQUEUE_SECONDS if again is None else min(again, _MAX_REQUEUE_SECONDS))
