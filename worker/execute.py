"""Performs the actions of a plan, in order, each behind the Lease. Called by the loop.

It stops at the first action that fails and lets the error out: the plan is made again from what
is then stored. Answers that are not in status yet go to the ledger.
"""

import asyncio
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

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
from worker.errors import Conflict, Refused, Temporary, Throttled, WorkerError
from worker.kube.store import Key, Store, key_of
from worker.ledger import Ledger
from worker.logs import about
from worker.ports import Events, Fence, Kusto, Rule, Rules
from worker.record import record

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RuleFence:
    """A ``Fence`` for one rule: the Lease is held, and ``rule`` is still as it was planned."""

    lease: Fence
    store: Store
    rule: Rule

    def check(self) -> None:
        """Raise ``LeaseLost``, or ``Conflict`` if the store says that the rule has changed.

        A deletion with a finalizer and every edit of spec increase ``metadata.generation``; a rule
        created again under the same name has another uid (Kubernetes API conventions, "Metadata").
        """
        self.lease.check()
        seen, planned = self.store.get(key_of(self.rule)), self.rule["metadata"]
        known = seen["metadata"] if seen is not None else {}
        is_same = known.get("uid") == planned.get("uid")
        if not is_same or known.get("generation", 0) > planned.get("generation", 0):
            raise Conflict("the rule was edited or deleted after its next step was decided")


@dataclass(frozen=True, slots=True)
class Executor:
    """Side effects on the API server and on Kusto."""

    rules: Rules
    store: Store
    kusto: Kusto
    events: Events
    ledger: Ledger
    fence: Fence

    async def perform(self, rule: Rule, actions: Sequence[Effect], seen: Observations) -> Rule:
        """Carry out ``actions`` on ``rule``; the object as last stored.

        Raises:
            WorkerError: what the first action that failed came to; those before it stand.
        """
        submits = [action for action in actions if isinstance(action, Submit)]
        for action in actions:
            if not isinstance(action, Submit):
                self.fence.check()
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
        fence = RuleFence(self.fence, self.store, rule)
        with about(window=str(window.window)):
            try:
                operation_id = await self.kusto.submit(
                    submit.database, submit.command, before_send=fence.check
                )
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
