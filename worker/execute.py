"""Performs the actions of a plan, in order, each behind the Lease. Called by the loop.

It stops at the first action that fails and lets the error out: the plan is made again from what
is then stored. Answers that are not in status yet go to the ledger.
"""

import asyncio
import logging
from collections.abc import Iterable, Sequence
from typing import Protocol

from summaryrule.actions import (
    Action,
    AdvanceSpec,
    Announce,
    Cancel,
    LookUpTag,
    RecordStatus,
    Submit,
)
from summaryrule.observed import Observed
from worker import permit
from worker.errors import Refused, Temporary, Throttled, WorkerError
from worker.kube.store import Key, key_of
from worker.ledger import Ledger
from worker.logs import about
from worker.ports import Events, Kusto, Rule, Rules
from worker.record import record

log = logging.getLogger(__name__)


class Permission(Protocol):
    """Whether this worker may still act (``worker.lease.Leadership``)."""

    def ensure(self) -> None:
        """Raise ``LeaseLost`` where it may not."""
        ...


class Executor:
    """Side effects on the API server and on Kusto."""

    def __init__(
        self, rules: Rules, kusto: Kusto, events: Events, ledger: Ledger, permission: Permission
    ) -> None:
        self._rules = rules
        self._kusto = kusto
        self._events = events
        self._ledger = ledger
        self._permission = permission

    async def perform(self, rule: Rule, actions: Sequence[Action], seen: Observed) -> Rule:
        """Carry out ``actions`` on ``rule``; the object as last stored.

        Raises:
            WorkerError: what the first action that failed came to; those before it stand.
        """
        submits = [action for action in actions if isinstance(action, Submit)]
        for action in actions:
            if not isinstance(action, Submit):
                self._permission.ensure()
                rule = await self._perform(rule, action, seen)
        await self._submit_all(key_of(rule), submits)
        return rule

    async def _perform(self, rule: Rule, action: Action, seen: Observed) -> Rule:
        key = key_of(rule)
        if isinstance(action, Announce):
            log.info("%s: %s", action.reason, action.message)
            await self._events.emit(rule, action.type, action.reason, action.message)
        elif isinstance(action, Cancel):
            await self._cancel(key, action)
        elif isinstance(action, LookUpTag):
            tag = f"ingest-by:{action.token}"
            found = await self._kusto.has_tag(action.database, action.table, tag)
            self._ledger.tagged(key, action.token, found=found)
        elif not isinstance(action, Submit):
            stored = await record(self._rules, rule, action)
            if isinstance(action, RecordStatus):
                self._ledger.recorded(key, seen)
            elif isinstance(action, AdvanceSpec):
                self._ledger.shown(key, action.at)
            return stored
        return rule

    async def _cancel(self, key: Key, action: Cancel) -> None:
        try:
            done = await self._kusto.cancel(action.database, action.operation_id)
            log.info("operation %s was asked to cancel: %s", action.operation_id, done)
        except Refused as error:
            log.info("operation %s was not cancelled: %s", action.operation_id, error)
        self._ledger.canceled(key, action.operation_id)

    async def _submit_all(self, key: Key, submits: Iterable[Submit]) -> None:
        """Send recorded intents side by side; an answer to any is worth recording first."""
        answers = await asyncio.gather(
            *(self._submit(key, submit) for submit in submits), return_exceptions=True
        )
        failures = [answer for answer in answers if isinstance(answer, BaseException)]
        if failures and len(failures) == len(answers):
            raise failures[0]
        for failure in failures:
            if not isinstance(failure, WorkerError):
                raise failure
            log.warning("a window was not submitted and waits: %s", failure)

    async def _submit(self, key: Key, submit: Submit) -> None:
        window = submit.window
        with about(window=str(window.window)):
            self._permission.ensure()
            try:
                with permit.required(self._permission.ensure):
                    operation_id = await self._kusto.submit(submit.database, submit.command)
            except Refused as error:
                log.warning("Kusto refused the window: %s", error)
                self._ledger.refused(key, window.token, str(error))
                return
            except Temporary as error:
                if not isinstance(error, Throttled):
                    self._ledger.unanswered(key, str(error))
                raise
            log.debug("submitted as operation %s", operation_id)
            self._ledger.submitted(key, window.token, operation_id)
