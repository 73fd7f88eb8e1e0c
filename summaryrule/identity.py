"""The names under which a request and a window are known for ever: keys, tokens, hashes.

They are written to status before anything is submitted and compared after every restart, so
their derivation never changes (design, section 7).
"""

import hashlib
from typing import Final

from summaryrule.instant import Instant
from summaryrule.v1 import SummaryRule, SummaryRuleSpec

SCHEDULE_KEY: Final = "schedule"


def _digest(*parts: str) -> str:
    return hashlib.sha256("\x00".join(parts).encode()).hexdigest()


def rule_identity(rule: SummaryRule) -> str:
    """The rule's UID; its namespace and name where a file gives none."""
    return rule.metadata.uid or f"{rule.metadata.namespace}/{rule.metadata.name}"


def request_key(rule: SummaryRule, start: Instant, request_id: str | None) -> str:
    """A backfill request: its rule, its start on the grid, and its requestId. 16 hex digits."""
    return _digest(rule_identity(rule), str(start), request_id or "")[:16]


def token(rule: SummaryRule, key: str, start: Instant) -> str:
    """The ingest-by token of one window of a request (or of ``SCHEDULE_KEY``). 32 hex digits."""
    return _digest(rule_identity(rule), key, str(start))[:32]


def spec_hash(spec: SummaryRuleSpec) -> str:
    """What decides a window's result: database, table, body and interval. 16 hex digits."""
    return _digest(spec.database, spec.table, spec.body.strip(), str(spec.interval))[:16]
