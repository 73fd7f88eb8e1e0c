"""The reasons for which a rule, or a part of it, does not run: kind, message and remedy of each.

It imports the standard library only, so that a command-line tool starts fast.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, NamedTuple

from summaryrule.api.constants import (
    DESIRED_OWNER_ANNOTATION,
    OPERATOR_NAME,
    OWNER_ANNOTATION,
)


class BlockKind(StrEnum):
    """What has to happen before the rule, or the part of it, runs."""

    NEEDS_ACTION = "NeedsAction"
    """Somebody must correct something."""
    RETRYING = "Retrying"
    """Something is wrong; the worker tries again by itself."""
    STARTING = "Starting"
    """Nothing is known to be wrong; the worker has to find out first."""
    WAITING = "Waiting"
    """Nothing is wrong; it continues by itself."""
    INTENDED = "Intended"
    """Somebody chose that it does not run here or now."""


class BlockReason(StrEnum):
    """A reason, as in conditions, Events, ``worker plan`` and ``kubectl summaryrule explain``."""

    DELETING = "Deleting"
    NOT_OURS = "NotOurs"
    HANDING_OVER = "HandingOver"
    MALFORMED = "Malformed"
    CRITERIA_NOT_MET = "CriteriaNotMet"
    OTHER_CLUSTER = "OtherCluster"
    CRITERIA_EXPRESSION_ERROR = "CriteriaExpressionError"
    NO_ENDPOINT = "NoEndpoint"
    ENDPOINT_UNAVAILABLE = "EndpointUnavailable"
    CHECKING_QUERY = "CheckingQuery"
    QUERY_INVALID = "QueryInvalid"
    COLUMNS_DIFFER = "ColumnsDiffer"
    SUSPENDED = "Suspended"
    TOO_MANY_FAILED = "TooManyFailed"
    WINDOW_FAILED = "WindowFailed"
    SUPERSEDING = "Superseding"
    CANCELING = "Canceling"
    NOT_REPLACEABLE = "NotReplaceable"
    PAUSED = "Paused"
    BACKFILL_FAILED = "BackfillFailed"
    UPSTREAM_BACKFILL = "UpstreamBackfill"
    SPEC_CHANGED = "SpecChanged"
    WAITING_UNTIL_DUE = "WaitingUntilDue"
    BEHIND = "Behind"
    NOT_SEEN = "NotSeen"
    QUEUED = "Queued"
    NO_LEADER = "NoLeader"

    @property
    def kind(self) -> BlockKind:
        """What has to happen before it runs."""
        return _TEXTS[self].kind

    @classmethod
    def named(cls, name: str) -> "BlockReason | None":
        """The reason of this name; None for another word, such as ``Active``."""
        return cls(name) if name in cls.__members__.values() else None

    @property
    def is_problem(self) -> bool:
        """Whether something is wrong, in contrast to what waits or what somebody chose."""
        return self.kind in {BlockKind.NEEDS_ACTION, BlockKind.RETRYING}

    def message(self, **values: object) -> str:
        """The message of this reason with these values; most have one value, ``cause``."""
        return _TEXTS[self].message.format(**values)

    def remedy(self, name: str) -> str:
        """What to do for the rule ``name``: one line, often a command to copy."""
        return _TEXTS[self].remedy.format(name=name)


class _Texts(NamedTuple):
    kind: BlockKind
    message: str
    remedy: str


_RETRY: Final = "fix the cause, then kubectl summaryrule retry {name} --all"
_CRITERIA: Final = "nothing, if the rule is for other clusters; else compare spec.criteria with the"
_CRITERIA_REMEDY: Final = f"{_CRITERIA} worker's cluster labels (chart value worker.clusterLabels)"
_TEXTS: Final[Mapping[BlockReason, _Texts]] = {
    BlockReason.DELETING: _Texts(
        BlockKind.WAITING,
        "operations are being cancelled",
        "nothing: running operations are cancelled first, within a minute. Without a worker, remove"
        " the finalizer; the operations then run to their end: kubectl patch summaryrule {name}"
        """ --type=merge -p '{{"metadata": {{"finalizers": null}}}}'""",
    ),
    BlockReason.NOT_OURS: _Texts(
        BlockKind.INTENDED,
        f"the rule {{cause}} (annotation {OWNER_ANNOTATION})",
        "another operator owns the rule; to run it here: kubectl annotate"
        f" --overwrite summaryrule {{name}} {OWNER_ANNOTATION}={OPERATOR_NAME}",
    ),
    BlockReason.HANDING_OVER: _Texts(
        BlockKind.WAITING,
        "the rule goes to {owner!r} when spec.backfill is gone and no window is in flight",
        "nothing; to keep the rule: kubectl annotate summaryrule {name}"
        f" {DESIRED_OWNER_ANNOTATION}-",
    ),
    BlockReason.MALFORMED: _Texts(
        BlockKind.NEEDS_ACTION,
        "{cause}",
        "correct what the message names: kubectl edit summaryrule {name}",
    ),
    BlockReason.CRITERIA_NOT_MET: _Texts(BlockKind.INTENDED, "{cause}", _CRITERIA_REMEDY),
    BlockReason.OTHER_CLUSTER: _Texts(BlockKind.INTENDED, "{cause}", _CRITERIA_REMEDY),
    BlockReason.CRITERIA_EXPRESSION_ERROR: _Texts(
        BlockKind.NEEDS_ACTION,
        "{cause}",
        "correct spec.criteriaExpression: its variables are the worker's cluster labels, and its"
        " result is a bool",
    ),
    BlockReason.NO_ENDPOINT: _Texts(
        BlockKind.NEEDS_ACTION,
        "no endpoint is configured for database {database!r} (databases with one: {known})",
        "add an endpoint for the database: chart value kusto.endpoints; or correct spec.database",
    ),
    BlockReason.ENDPOINT_UNAVAILABLE: _Texts(
        BlockKind.RETRYING,
        "{cause}",
        "check the endpoint that the message names, and the network and identity of the worker;"
        " windows run when it answers again",
    ),
    BlockReason.CHECKING_QUERY: _Texts(
        BlockKind.STARTING,
        "the endpoint has not said yet whether the query is valid",
        "nothing: the endpoint is asked within seconds",
    ),
    BlockReason.QUERY_INVALID: _Texts(
        BlockKind.NEEDS_ACTION,
        "{cause}",
        "correct spec.body where the message says, or create the table that it names; windows then"
        " run without a retry. After an edit, a backfill that has begun also needs kubectl"
        " summaryrule retry {name} --all",
    ),
    BlockReason.COLUMNS_DIFFER: _Texts(
        BlockKind.NEEDS_ACTION,
        "{cause}",
        "change spec.body as the message says, or use a new spec.table",
    ),
    BlockReason.SUSPENDED: _Texts(
        BlockKind.INTENDED,
        "spec.suspend is true: interval runs stop",
        "kubectl summaryrule resume {name} --schedule",
    ),
    BlockReason.TOO_MANY_FAILED: _Texts(
        BlockKind.NEEDS_ACTION,
        "{count} interval windows failed, the first {window}: {error}; no new one is started;"
        " retry or skip them by annotation",
        _RETRY,
    ),
    BlockReason.WINDOW_FAILED: _Texts(
        BlockKind.NEEDS_ACTION,
        "{count} windows failed, the first {window}: {error}",
        f"{_RETRY}, or skip the window",
    ),
    BlockReason.SUPERSEDING: _Texts(
        BlockKind.WAITING,
        "windows of the request before are still in flight",
        "nothing: the new request begins when these windows have ended",
    ),
    BlockReason.CANCELING: _Texts(
        BlockKind.WAITING,
        "spec.backfill was removed; windows in flight end first, so that none has rows of two runs",
        "nothing: the backfill is Canceled when these windows have ended",
    ),
    BlockReason.NOT_REPLACEABLE: _Texts(
        BlockKind.NEEDS_ACTION,
        "{cause}",
        "remove the rows with the command in the message; then kubectl patch summaryrule {name}"
        """ --type=merge -p '{{"spec": {{"backfill": {{"untagged": "Keep"}}}}}}'""",
    ),
    BlockReason.PAUSED: _Texts(
        BlockKind.INTENDED, "spec.backfill.suspend is true", "kubectl summaryrule resume {name}"
    ),
    BlockReason.BACKFILL_FAILED: _Texts(
        BlockKind.NEEDS_ACTION,
        "{cause}; retry or skip by annotation",
        f"{_RETRY}, or skip the window",
    ),
    BlockReason.UPSTREAM_BACKFILL: _Texts(
        BlockKind.NEEDS_ACTION,
        "spec.backfill is a request to adx-mon{cause}",
        "write start and end in place of startTime and endTime, with the same requestId, to"
        " continue it here; or remove spec.backfill: kubectl summaryrule cancel {name}",
    ),
    BlockReason.SPEC_CHANGED: _Texts(
        BlockKind.NEEDS_ACTION,
        "windows of the text before are still in flight",
        "wait until these windows have ended; then kubectl summaryrule retry {name} --all, or set"
        " a new requestId",
    ),
    BlockReason.WAITING_UNTIL_DUE: _Texts(
        BlockKind.WAITING,
        "windows up to {end} wait until their end is {delay} ago",
        "nothing: they run when their end is spec.ingestionDelay ago",
    ),
    BlockReason.BEHIND: _Texts(
        BlockKind.RETRYING,
        "{count} windows are due and have not begun",
        "nothing, if the number falls: windows run oldest first",
    ),
    BlockReason.NOT_SEEN: _Texts(
        BlockKind.RETRYING,
        "no worker has reconciled this rule yet",
        "check that a worker leads: kubectl summaryrule check. With worker.adoptUnowned=false, it"
        f" takes only rules with the annotation {OWNER_ANNOTATION}={OPERATOR_NAME}",
    ),
    BlockReason.QUEUED: _Texts(
        BlockKind.WAITING,
        "the rule waits in the work queue; rules ahead of it: {ahead}",
        "nothing, if the number falls; else read the worker's log",
    ),
    BlockReason.NO_LEADER: _Texts(
        BlockKind.NEEDS_ACTION,
        "{cause}; nothing runs until a worker leads",
        "start a worker: kubectl get pods,deployments -A -l app.kubernetes.io/component=worker; if"
        " it runs, read its log",
    ),
}


def remedy_for(reason: str, name: str) -> str:
    """What to do for the rule ``name``; empty for a word that is not a block reason."""
    found = BlockReason.named(reason)
    return "" if found is None else found.remedy(name)
