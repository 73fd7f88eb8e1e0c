"""Names that are stored in clusters: the API group, annotations, conditions, field managers.

Standard library only. They never change: objects and scripts hold them.
"""

from typing import Final

GROUP: Final = "adx-mon.azure.com"
VERSION: Final = "v1"
KIND: Final = "SummaryRule"
PLURAL: Final = "summaryrules"
API_VERSION: Final = f"{GROUP}/{VERSION}"

OWNER_ANNOTATION: Final = f"{GROUP}/owner"
REQUESTED_BY_ANNOTATION: Final = f"{GROUP}/backfill-requested-by"
DEFAULTED_END_ANNOTATION: Final = f"{GROUP}/backfill-defaulted-end"
RETRY_ANNOTATION: Final = f"{GROUP}/backfill-retry"
SKIP_ANNOTATION: Final = f"{GROUP}/backfill-skip"
FINALIZER: Final = f"{GROUP}/backfill"

SCHEDULE_CONDITION: Final = f"summaryrule.{GROUP}"
OPERATIONS_CONDITION: Final = f"{SCHEDULE_CONDITION}/OperationId"
LAST_EXECUTION_CONDITION: Final = f"{SCHEDULE_CONDITION}/LastSuccessfulExecution"
BACKFILL_CONDITION: Final = "Backfill"

OPERATOR_NAME: Final = "summaryrule-operator"
"""The value of the owner annotation for rules that this operator runs."""
FIELD_MANAGER: Final = "summaryrule-operator-worker"
"""The field manager of the worker's writes (Kubernetes docs, server-side apply)."""

ACTIVE_PHASES: Final = frozenset({"Pending", "Running", "Paused", "Failed"})
"""Phases of a backfill that has not ended."""

HISTORY_LIMIT: Final = 10
SKIPPED_LIMIT: Final = 50
LOOKBACK_DAYS: Final = 30
"""How far back a backfill may begin, and how far ahead it may end."""
