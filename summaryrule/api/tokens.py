"""The key of a backfill request, the ingest-by token of a window, and the hash of a spec.

They are stored in clusters and in Kusto: their derivation never changes.
"""

import hashlib

from summaryrule.api.instant import Instant
from summaryrule.api.v1 import SummaryRule, SummaryRuleSpec
from summaryrule.api.windows import Window


def _digest(*parts: str) -> str:
    return hashlib.sha256("\x00".join(parts).encode()).hexdigest()


def rule_identity(rule: SummaryRule) -> str:
    """The rule's UID; its namespace and name if it has none, as in a file."""
    return rule.metadata.uid or f"{rule.metadata.namespace}/{rule.metadata.name}"


def request_key(rule: SummaryRule, start: Instant, request_id: str | None) -> str:
    """The key of a request, from its rule, start on the grid and requestId: 16 hex digits."""
    return _digest(rule_identity(rule), str(start), request_id or "")[:16]


def window_token(rule: SummaryRule, window: Window, run: str | None = None) -> str:
    """The ingest-by token of a window: 32 hex digits.

    The rule, the bounds of the window and ``run`` decide it. ``run`` is the requestId of a
    backfill, or in mode Replace its key, since there each request writes its windows again. So in
    mode Append, interval runs and each backfill without a requestId have one token for a window,
    and Kusto appends its rows once. The length is part of it: on another grid, another window can
    have the same start, and Kusto must not drop its rows as a repeat. The word ``schedule`` is that
    of release 0.1.0, whose interval runs had the same tokens.
    """
    grid, again = f"schedule/{window.length}", (run,) if run else ()
    return _digest(rule_identity(rule), grid, str(window.start), *again)[:32]


def legacy_window_token(rule: SummaryRule, key: str, start: Instant) -> str:
    """The token that release 0.1.0 gave a window of the backfill with this request key."""
    return _digest(rule_identity(rule), key, str(start))[:32]


def spec_hash(spec: SummaryRuleSpec) -> str:
    """A hash of what decides a window's result: database, table, body, interval: 16 hex digits."""
    return _digest(spec.database, spec.table, spec.body.strip(), str(spec.interval))[:16]
