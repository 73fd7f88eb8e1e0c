"""Executes the side effects of a plan in order, each behind the fence.

It stops at the first one that fails and raises its error: the next decision starts from what is
stored then. Answers that status does not hold yet go to the observations.
"""

import asyncio
import contextlib
import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from runtime.errors import Conflict, Misconfigured, OperatorError, Refused, Temporary, Throttled
from runtime.logging import log_context
from summaryrule.api.constants import (
    DESIRED_OWNER_ANNOTATION,
    FINALIZER,
    OWNER_ANNOTATION,
)
from summaryrule.api.instant import Instant
from summaryrule.api.v1 import dump
from summaryrule.planner import replacement
from summaryrule.planner.field_ownership import without_range_ownership
from summaryrule.planner.types import (
    Cancel,
    CheckIngestTag,
    DropOlderRuns,
    DropOldTags,
    Effect,
    EmitEvent,
    FindIngestTags,
    Observations,
    RecordStatus,
    ReleaseFieldOwnership,
    RemoveAnnotations,
    RemoveBackfill,
    RuleWrite,
    SetFinalizer,
    SetOwner,
    Submit,
    UpdateSpecCursor,
)
from summaryrule.window_command import INGEST_BY, ingest_tag
from worker.kube.store import Key, Store, key_of
from worker.observations import ObservationStore
from worker.ports import EventRecorder, Fence, KustoClient, RawRule, RuleClient

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RuleFence:
    """A ``Fence`` for one rule: the Lease is held, and ``rule`` is still as it was planned."""

    lease: Fence
    store: Store
    rule: RawRule

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

    rules: RuleClient
    store: Store
    kusto: KustoClient
    events: EventRecorder
    observations: ObservationStore
    fence: Fence

    async def execute(
        self, rule: RawRule, actions: Sequence[Effect], seen: Observations
    ) -> RawRule:
        """Execute ``effects`` on ``rule`` and return the object as last stored.

        Raises:
            OperatorError: the error of the first one that failed; those before it remain done.
        """
        of_windows = [action for action in actions if isinstance(action, Submit | DropOlderRuns)]
        for action in actions:
            if not isinstance(action, Submit | DropOlderRuns):
                self.fence.check()
                rule = await self._execute(rule, action, seen)
        await self._execute_all(rule, of_windows)
        return rule

    async def _execute(self, rule: RawRule, action: Effect, seen: Observations) -> RawRule:
        key = key_of(rule)
        if isinstance(action, EmitEvent):
            level = logging.WARNING if action.type == "Warning" else logging.INFO
            log.log(level, "%s: %s", action.reason, action.message)
            await self.events.emit(rule, action.type, action.reason, action.message)
        elif isinstance(action, Cancel):
            await self._cancel(key, action)
        elif isinstance(action, CheckIngestTag):
            tag = ingest_tag(action.token)
            with self._reporting_no_reply(key, "tags"):
                found = await self.kusto.has_tag(action.database, action.table, tag)
            self.observations.add_tag(key, action.token, found=found)
        elif isinstance(action, FindIngestTags):
            await self._find_ingest_tags(key, action)
        elif isinstance(action, DropOldTags):
            await self._drop_old_tags(key, action)
        elif isinstance(action, RecordStatus):
            rule = await self.rules.patch_status(rule, dump(action.status))
            self.observations.discard_recorded(key, seen)
        elif isinstance(action, RuleWrite):
            rule = await self.rules.patch(rule, to_patch(rule, action))
            if isinstance(action, UpdateSpecCursor):
                generation = rule["metadata"].get("generation", 0)
                self.observations.add_cursor_sync(key, action.at, generation)
        return rule

    async def _find_ingest_tags(self, key: Key, action: FindIngestTags) -> None:
        """Without the right to read extents there are no tags: Kusto drops each repeat itself."""
        try:
            with self._reporting_no_reply(key, "tags"):
                found = await self.kusto.find_tags(
                    action.database, action.table, INGEST_BY, action.since
                )
        except Refused as error:
            log.warning("the tags of table %s cannot be read: %s", action.table, error)
            found = set()
        self.observations.add_ingest_tags(key, action.request_key, found)

    @contextlib.contextmanager
    def _reporting_no_reply(self, key: Key, call: str) -> Iterator[None]:
        """Around a call for the rule: its condition says so if the endpoint does not answer."""
        clock = asyncio.get_running_loop().time
        began = clock()
        try:
            yield
        except Temporary as error:
            if not isinstance(error, Throttled | Conflict):
                self.observations.add_no_reply(key, call, error, clock() - began)
            raise
        except Refused:
            self.observations.add_reply(key, call)
            raise
        else:
            self.observations.add_reply(key, call)

    async def _cancel(self, key: Key, action: Cancel) -> None:
        try:
            done = await self.kusto.cancel(action.database, action.operation_id)
            log.info("cancelled operation %s: %s", action.operation_id, done)
        except Refused as error:
            log.info("operation %s was not cancelled: %s", action.operation_id, error)
        self.observations.add_canceled(key, action.operation_id)

    async def _drop_old_tags(self, key: Key, action: DropOldTags) -> None:
        """Without the right to do it the tags stay; it is tried again the next day."""
        found = await self.kusto.find_tags(action.database, action.table, action.prefix, Instant(0))
        old = replacement.old_tags(action, found)
        try:
            await self.kusto.drop_tags(
                action.database, action.table, old, before_send=self.fence.check
            )
        except (Refused, Misconfigured) as error:
            log.warning("old tags of table %s were not removed: %s", action.table, error)
        self.observations.add_tags_dropped(key, action.before)

    async def _execute_all(self, rule: RawRule, actions: Iterable[Submit | DropOlderRuns]) -> None:
        """Send what windows need concurrently; raise only if all fail, so that answers count."""
        answers = await asyncio.gather(
            *(
                self._submit(rule, action)
                if isinstance(action, Submit)
                else self._drop_older_runs(key_of(rule), action)
                for action in actions
            ),
            return_exceptions=True,
        )
        failures = [answer for answer in answers if isinstance(answer, BaseException)]
        if failures and len(failures) == len(answers):
            raise failures[0]
        for failure in failures:
            if not isinstance(failure, OperatorError):
                raise failure
            log.info("a window could not go on, it is tried again: %s", failure)

    async def _drop_older_runs(self, key: Key, action: DropOlderRuns) -> None:
        """Drop each older run by its own tag: a command that arrives late drops nothing newer."""
        window = action.window
        with log_context(window=str(window.window)):
            with self._reporting_no_reply(key, "tags"):
                found = await self.kusto.find_tags(
                    action.database, action.table, action.tag.window_prefix, window.start
                )
            try:
                for tag in replacement.older_runs(action, found):
                    await self.kusto.drop_extents(
                        action.database, action.table, tag, before_send=self.fence.check
                    )
            except (Refused, Misconfigured) as error:
                log.info("Kusto refused the drop of an earlier run: %s", error)
                self.observations.add_rejected(key, window.token, _not_dropped(action, error))
                return
            self.observations.add_replaced(key, window.token)

    async def _submit(self, rule: RawRule, submit: Submit) -> None:
        key, window = key_of(rule), submit.window
        fence = RuleFence(self.fence, self.store, rule)
        with log_context(window=str(window.window)):
            try:
                with self._reporting_no_reply(key, "submit"):
                    operation_id = await self.kusto.submit(
                        submit.database, submit.command, before_send=fence.check
                    )
            except Refused as error:
                log.info("Kusto refused the window: %s", error)
                self.observations.add_rejected(key, window.token, str(error))
                return
            log.debug("submitted as operation %s", operation_id)
            self.observations.add_submitted(key, window.token, operation_id)


def _not_dropped(action: DropOlderRuns, error: OperatorError) -> str:
    return (
        "the new rows are there, and the old ones were not dropped; the worker needs the role Table"
        f" Admin on table {action.table}: {error}"
    )


def to_patch(rule: RawRule, action: RuleWrite) -> dict[str, Any]:
    """The merge patch of a write to the main resource (RFC 7386: null removes)."""
    match action:
        case UpdateSpecCursor():
            cursor = {"start": str(action.start), "operationId": action.operation_id}
            return {"spec": {"backfill": cursor}}
        case RemoveBackfill():
            return {"spec": {"backfill": None}, **_finalizers(rule, present=False)}
        case SetFinalizer():
            return _finalizers(rule, present=action.present)
        case RemoveAnnotations():
            return {"metadata": {"annotations": dict.fromkeys(action.names)}}
        case SetOwner():
            owner = {OWNER_ANNOTATION: action.owner, DESIRED_OWNER_ANNOTATION: None}
            return {"metadata": {"annotations": owner}}
        case ReleaseFieldOwnership():
            entries = rule["metadata"].get("managedFields", [])
            return {"metadata": {"managedFields": without_range_ownership(entries)}}
    raise TypeError(f"no patch for {type(action).__name__}")


def _finalizers(rule: RawRule, *, present: bool) -> dict[str, Any]:
    others = [each for each in rule["metadata"].get("finalizers", []) if each != FINALIZER]
    wanted = [*others, FINALIZER] if present else others
    return {"metadata": {"finalizers": wanted or None}}
