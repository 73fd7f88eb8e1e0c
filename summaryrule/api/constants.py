"""Names that clusters store (group, annotations, condition types, field manager), and limits.

Objects and scripts depend on the names, so the names never change. This module imports the standard
library only.
"""

from typing import Final

GROUP: Final = "adx-mon.azure.com"
VERSION: Final = "v1"
KIND: Final = "SummaryRule"
PLURAL: Final = "summaryrules"
RESOURCE: Final = f"{PLURAL}.{GROUP}"
"""The name of the CRD, and the full name of the resource for kubectl."""
API_VERSION: Final = f"{GROUP}/{VERSION}"

OWNER_ANNOTATION: Final = f"{GROUP}/owner"
DESIRED_OWNER_ANNOTATION: Final = f"{GROUP}/desired-owner"
REQUESTED_BY_ANNOTATION: Final = f"{GROUP}/backfill-requested-by"
DEFAULTED_END_ANNOTATION: Final = f"{GROUP}/backfill-defaulted-end"
RETRY_ANNOTATION: Final = f"{GROUP}/backfill-retry"
SKIP_ANNOTATION: Final = f"{GROUP}/backfill-skip"
FINALIZER: Final = f"{GROUP}/backfill"

SCHEDULE_CONDITION: Final = f"summaryrule.{GROUP}"
OPERATIONS_CONDITION: Final = f"{SCHEDULE_CONDITION}/OperationId"
LAST_EXECUTION_CONDITION: Final = f"{SCHEDULE_CONDITION}/LastSuccessfulExecution"
BACKFILL_CONDITION: Final = "Backfill"
QUERY_CONDITION: Final = "QueryValid"
READY_CONDITION: Final = "Ready"
STALLED_CONDITION: Final = "Stalled"
RECONCILING_CONDITION: Final = "Reconciling"
"""``Ready``, ``Stalled`` and ``Reconciling`` are the conditions that kstatus reads."""

OPERATOR_NAME: Final = "summaryrule-operator"
"""The value of the owner annotation on rules that this operator runs."""
FIELD_MANAGER: Final = "summaryrule-operator-worker"
"""The field manager of the worker's writes (Kubernetes docs, "Server-Side Apply")."""

ACTIVE_PHASES: Final = frozenset({"Pending", "Running", "Paused", "Failed"})
"""Phases of a backfill that has not ended."""
RUNNABLE_PHASES: Final = frozenset({"Pending", "Running"})
"""Phases in which a backfill may take new windows."""

NOT_OBSERVED: Final = -1
"""``status.observedGeneration`` of a rule that no worker has reconciled yet."""
HISTORY_LIMIT: Final = 10
BODY_LIMIT: Final = 1_048_576
"""Characters of a body: status and metadata must fit beside it in the 1.5 MiB of etcd."""
GRID_LIMIT: Final = 5
SKIPPED_LIMIT: Final = 50
LOOKBACK_DAYS: Final = 30
"""How many days ago a backfill may start, and how many days from now it may end."""
