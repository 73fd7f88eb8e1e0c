"""The reasons for which a rule, or a part of it, does not run, and the remedy for each.

It imports the standard library only, so that a command-line tool starts fast.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from summaryrule.api.constants import OPERATOR_NAME, OWNER_ANNOTATION


class BlockReason(StrEnum):
    """A reason, as in conditions, Events, ``worker plan`` and ``kubectl summaryrule explain``."""

    DELETING = "Deleting"
    NOT_OURS = "NotOurs"
    MALFORMED = "Malformed"
    CRITERIA_NOT_MET = "CriteriaNotMet"
    CRITERIA_EXPRESSION_ERROR = "CriteriaExpressionError"
    NO_ENDPOINT = "NoEndpoint"
    ENDPOINT_UNAVAILABLE = "EndpointUnavailable"
    SUSPENDED = "Suspended"
    TOO_MANY_FAILED = "TooManyFailed"
    WINDOW_FAILED = "WindowFailed"
    SUPERSEDING = "Superseding"
    PAUSED = "Paused"
    BACKFILL_FAILED = "BackfillFailed"
    SPEC_CHANGED = "SpecChanged"
    WAITING_UNTIL_DUE = "WaitingUntilDue"
    BEHIND = "Behind"
    NOT_SEEN = "NotSeen"

    def remedy(self, name: str) -> str:
        """What to do for the rule ``name``: one line, often a command to copy."""
        return _REMEDIES[self].format(name=name)


_RETRY: Final = "fix the cause, then kubectl summaryrule retry {name} --all"
_REMEDIES: Final[Mapping[BlockReason, str]] = {
    BlockReason.DELETING: "nothing: running operations are cancelled first, within a minute",
    BlockReason.NOT_OURS: "another operator owns the rule; to run it here: kubectl annotate"
    f" --overwrite summaryrule {{name}} {OWNER_ANNOTATION}={OPERATOR_NAME}",
    BlockReason.MALFORMED: "correct what the message names: kubectl edit summaryrule {name}",
    BlockReason.CRITERIA_NOT_MET: "compare spec.criteria with the worker's cluster labels",
    BlockReason.CRITERIA_EXPRESSION_ERROR: "correct spec.criteriaExpression: its variables are the"
    " worker's cluster labels, and its result is a bool",
    BlockReason.NO_ENDPOINT: "add an endpoint for the database: chart value kusto.endpoints",
    BlockReason.ENDPOINT_UNAVAILABLE: "check the endpoint that the message names, and the network"
    " and identity of the worker; windows run when it answers again",
    BlockReason.SUSPENDED: "kubectl summaryrule resume {name} --schedule",
    BlockReason.TOO_MANY_FAILED: _RETRY,
    BlockReason.WINDOW_FAILED: f"{_RETRY}, or skip the window",
    BlockReason.SUPERSEDING: "nothing: the new request begins when these windows have ended",
    BlockReason.PAUSED: "kubectl summaryrule resume {name}",
    BlockReason.BACKFILL_FAILED: f"{_RETRY}, or skip the window",
    BlockReason.SPEC_CHANGED: "wait until these windows have ended; then retry, or set a new"
    " requestId",
    BlockReason.WAITING_UNTIL_DUE: "nothing: they run when their end is spec.ingestionDelay ago",
    BlockReason.BEHIND: "nothing, if the number falls: windows run oldest first",
    BlockReason.NOT_SEEN: "check that the worker runs: kubectl get pods -n summaryrule-system",
}
