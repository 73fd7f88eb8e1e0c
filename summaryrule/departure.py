"""The end of a rule that is being deleted: cancel what flies, wait a bounded time, let it go."""

from collections.abc import Iterator

from summaryrule import flight
from summaryrule.actions import Cancel, SetFinalizer
from summaryrule.agenda import Flying, Held, Plan
from summaryrule.desk import Desk
from summaryrule.observed import Outcome
from summaryrule.v1 import FINALIZER


def leave(desk: Desk) -> Plan:
    """What is left to do for a rule with a deletion timestamp; nothing is submitted any more."""
    if FINALIZER not in desk.rule.metadata.finalizers:
        return Plan()
    running = [each for each in _flying(desk) if _runs(desk, each)]
    since = desk.rule.metadata.deletion_timestamp or desk.now
    deadline = since.plus(desk.settings.cancel_wait.ticks)
    if not running or desk.now >= deadline:
        return Plan(actions=(SetFinalizer(present=False),))
    cancels = tuple(
        Cancel(each.database, each.operation_id)
        for each in running
        if each.operation_id not in desk.observed.canceled
    )
    held = Held("Deleting", "operations are being cancelled")
    return Plan((held,), cancels, tuple(running), deadline)


def _flying(desk: Desk) -> Iterator[Flying]:
    """Operations in status, and those whose answer came too late to be recorded."""
    for window in desk.windows(desk.stored):
        operation_id = window.operation_id or desk.observed.submitted.get(window.token)
        if operation_id is not None:
            database = flight.database(window, desk.rule, desk.settings)
            yield Flying(database, operation_id, window.submitted_at)


def _runs(desk: Desk, each: Flying) -> bool:
    operation = desk.observed.operations.get(each.operation_id)
    return operation is None or operation.outcome is Outcome.RUNNING
