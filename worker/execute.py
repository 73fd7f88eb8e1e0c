"""Performs the actions of a plan, in order, each behind the Lease. Called by the loop.

It stops at the first action that fails and lets the error out: the plan is made again from what
is then stored. Answers that are not in status yet go to the ledger.
"""

import asyncio
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from summaryrule.planner.types import (
    Cancel,
    CheckIngestTag,
    Effect,
    EmitEvent,
    Observations,
    RecordStatus,
    Submit,
    UpdateSpecCursor,
)
from worker import permit
from worker.errors import Conflict, Refused, Temporary, Throttled, WorkerError
from worker.kube.store import Key, key_of
from worker.ledger import Ledger
from worker.logs import about
from worker.mirror import Mirror, require_current
from worker.ports import Events, Kusto, Rule, Rules
from worker.record import record

log = logging.getLogger(__name__)


class Permission(Protocol):
    """Whether this worker may still act (``worker.lease.Leadership``)."""

    def ensure(self) -> None:
        """Raise ``LeaseLost`` where it may not."""
        ...


@dataclass(frozen=True, slots=True)
class Executor:
    """Side effects on the API server and on Kusto."""

    rules: Rules
    mirror: Mirror
    kusto: Kusto
    events: Events
    ledger: Ledger
    permission: Permission

    async def perform(self, rule: Rule, actions: Sequence[Effect], seen: Observations) -> Rule:
        """Carry out ``actions`` on ``rule``; the object as last stored.

        Raises:
            WorkerError: what the first action that failed came to; those before it stand.
        """
        submits = [action for action in actions if isinstance(action, Submit)]
        for action in actions:
            if not isinstance(action, Submit):
                self.permission.ensure()
                rule = await self._perform(rule, action, seen)
        await self._submit_all(rule, submits)
        return rule

    async def _perform(self, rule: Rule, action: Effect, seen: Observations) -> Rule:
        key = key_of(rule)
        if isinstance(action, EmitEvent):
            log.info("%s: %s", action.reason, action.message)
            await self.events.emit(rule, action.type, action.reason, action.message)
        elif isinstance(action, Cancel):
            await self._cancel(key, action)
        elif isinstance(action, CheckIngestTag):
            tag = f"ingest-by:{action.token}"
            found = await self.kusto.has_tag(action.database, action.table, tag)
            self.ledger.tagged(key, action.token, found=found)
        elif not isinstance(action, Submit):
            stored = await record(self.rules, rule, action)
            if isinstance(action, RecordStatus):
                self.ledger.recorded(key, seen)
            elif isinstance(action, UpdateSpecCursor):
                self.ledger.shown(key, action.at, stored["metadata"].get("generation", 0))
            return stored
        return rule

    async def _cancel(self, key: Key, action: Cancel) -> None:
        try:
            done = await self.kusto.cancel(action.database, action.operation_id)
            log.info("operation %s was asked to cancel: %s", action.operation_id, done)
        except Refused as error:
            log.info("operation %s was not cancelled: %s", action.operation_id, error)
        self.ledger.canceled(key, action.operation_id)

    async def _submit_all(self, rule: Rule, submits: Iterable[Submit]) -> None:
        """Send recorded intents side by side; an answer to any is worth recording first."""
        answers = await asyncio.gather(
            *(self._submit(rule, submit) for submit in submits), return_exceptions=True
        )
        failures = [answer for answer in answers if isinstance(answer, BaseException)]
        if failures and len(failures) == len(answers):
            raise failures[0]
        for failure in failures:
            if not isinstance(failure, WorkerError):
                raise failure
            log.warning("a window was not submitted and waits: %s", failure)

    async def _submit(self, rule: Rule, submit: Submit) -> None:
        key, window = key_of(rule), submit.window
        still_wanted = partial(self._require_wanted, rule)
        with about(window=str(window.window)):
            still_wanted()
            try:
                with permit.required(still_wanted):
                    operation_id = await self.kusto.submit(submit.database, submit.command)
            except Refused as error:
                log.warning("Kusto refused the window: %s", error)
                self.ledger.refused(key, window.token, str(error))
                return
            except Temporary as error:
                if not isinstance(error, Throttled | Conflict):
                    self.ledger.unanswered(key, str(error))
                raise
            log.debug("submitted as operation %s", operation_id)
            self.ledger.submitted(key, window.token, operation_id)

    def _require_wanted(self, rule: Rule) -> None:
        self.permission.ensure()
        require_current(self.mirror, rule)
