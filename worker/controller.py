"""The controller: takes rules from the work queue, reconciles them, and requeues them."""

import asyncio
import logging
from typing import Final

from runtime.errors import LeaseLost, NotFound, OperatorError, Temporary
from runtime.logging import log_context
from worker.kube.store import Key
from worker.metrics import Metrics
from worker.reconciler import Reconciler
from worker.workqueue import WorkQueue

log = logging.getLogger(__name__)

_MAX_REQUEUE_SECONDS: Final = 3600.0
"""Seconds after which a rule is reconciled again in any case."""


async def run_workers(
    queue: WorkQueue[Key], reconciler: Reconciler, metrics: Metrics, workers: int
) -> None:
    """Reconcile rules from the queue, ``workers`` at the same time, until cancelled."""
    async with asyncio.TaskGroup() as tasks:
        for number in range(workers):
            tasks.create_task(_run_worker(queue, reconciler, metrics), name=f"reconcile-{number}")


async def _run_worker(queue: WorkQueue[Key], reconciler: Reconciler, metrics: Metrics) -> None:
    while True:
        key = await queue.get()
        try:
            with log_context(rule="/".join(key)):
                log.debug("reconciling, reason: %s", queue.take_reason(key))
                await _reconcile_once(key, queue, reconciler, metrics)
        finally:
            queue.done(key)


async def _reconcile_once(
    key: Key, queue: WorkQueue[Key], reconciler: Reconciler, metrics: Metrics
) -> None:
    try:
        result = await reconciler.reconcile(key)
    except LeaseLost:
        raise
    except NotFound:
        queue.add(key, 1.0, reason="not found")  # the watch will say that it is gone
    except OperatorError as error:
        at_least = error.delay if isinstance(error, Temporary) else 0.0
        delay = queue.retry(key, at_least)
        if isinstance(error, Temporary) and error.requeue_after is not None:
            queue.add(key, error.requeue_after, reason="due")
        metrics.reconciles.labels(type(error).__name__).inc()
        # A temporary error is in the rule's condition, and at warning in the endpoint's own line.
        level = logging.INFO if isinstance(error, Temporary) else logging.WARNING
        log.log(level, "retry in %.1f s: %s", delay, error)
    except Exception:  # an error in the code for one rule must not stop the others
        delay = queue.retry(key)
        metrics.reconciles.labels("defect").inc()
        log.exception("unexpected error, retry in %.1f s", delay)
    else:
        metrics.reconciles.labels("ok").inc()
        queue.forget(key)
        _requeue(queue, key, result.requeue_after)


def _requeue(queue: WorkQueue[Key], key: Key, after: float | None) -> None:
    """Requeue a reconciled rule in ``after`` seconds; None: only its next change matters."""
    delay = _MAX_REQUEUE_SECONDS if after is None else min(after, _MAX_REQUEUE_SECONDS)
    if after is None:
        log.debug("reconciled, waiting for a change of the rule")
    else:
        log.debug("reconciled, requeued in %.1f s", delay)
    queue.add(key, delay, reason="due")
