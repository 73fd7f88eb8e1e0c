"""The names under which a request and a window are known for ever: keys, tokens, hashes.

They are written to status before anything is submitted and compared after every restart, so
their derivation never changes (design, section 7).
"""

import hashlib
from typing import Final

from summaryrule.instant import Instant
from summaryrule.v1 import SummaryRule, SummaryRuleSpec

_SCHEDULE: Final = "schedule"


def _digest(*parts: str) -> str:
    return hashlib.sha256("\x00".join(parts).encode()).hexdigest()


def rule_identity(rule: SummaryRule) -> str:
    """The rule's UID; its namespace and name where a file gives none."""
    return rule.metadata.uid or f"{rule.metadata.namespace}/{rule.metadata.name}"


def request_key(rule: SummaryRule, start: Instant, request_id: str | None) -> str:
    """A backfill request: its rule, its start on the grid, and its requestId. 16 hex digits."""
    return _digest(rule_identity(rule), str(start), request_id or "")[:16]


def schedule_key(rule: SummaryRule) -> str:
    """The key of interval runs, in the place of a request's.

    It names the interval: on a coarser grid a window begins where one of the old grid did, and is
    another window all the same, whose data must not be dropped as a repeat.
    """
    return f"{_SCHEDULE}/{rule.spec.interval}"


def token(rule: SummaryRule, key: str, start: Instant) -> str:
    """The ingest-by token of one window of a request (or of ``schedule_key``). 32 hex digits."""
    return _digest(rule_identity(rule), key, str(start))[:32]


def spec_hash(spec: SummaryRuleSpec) -> str:
    """What decides a window's result: database, table, body and interval. 16 hex digits."""
    return _digest(spec.database, spec.table, spec.body.strip(), str(spec.interval))[:16]
