"""``adx-mon.azure.com/v1``: the SummaryRule as Pydantic models, the source of the CRD.

The docstrings and descriptions of the models are those of the CRD, and Kubernetes' schema keywords
are part of their JSON schema. ``SummaryRule.model_validate`` reads an object into instants and
durations; ``dump`` gives the JSON that the API server stores.
"""

from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    StringConstraints,
    WithJsonSchema,
    field_validator,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import PydanticCustomError

from summaryrule.api import validation_rules
from summaryrule.api.constants import (
    API_VERSION,
    BODY_LIMIT,
    GRID_LIMIT,
    GROUP,
    HISTORY_LIMIT,
    KIND,
    NOT_OBSERVED,
    PLURAL,
    SKIPPED_LIMIT,
    VERSION,
)
from summaryrule.api.duration import Duration
from summaryrule.api.instant import Instant
from summaryrule.api.upstream_backfill import (
    UpstreamProgress,
    UpstreamRequest,
    is_upstream_progress,
    is_upstream_request,
    read_progress,
    read_request,
)
from summaryrule.api.windows import Window

WriteMode = Literal["Append", "Replace"]
Phase = Literal["Pending", "Running", "Paused", "Completed", "Failed", "Canceled", "Superseded"]


def _schema(*rules: validation_rules.ValidationRule, max_length: int) -> WithJsonSchema:
    validations = [rule.as_validation() for rule in rules]
    return WithJsonSchema(
        {"type": "string", "maxLength": max_length, "x-kubernetes-validations": validations}
    )


def _read_text(value: object, limit: int) -> str:
    if not isinstance(value, str):
        raise ValueError(f"must be a string, not {type(value).__name__}")  # noqa: TRY004 - pydantic
    if len(value) > limit:
        message = "may not be more than {max_length} bytes"
        raise PydanticCustomError("string_too_long", message, {"max_length": limit})
    return value


def _read_instant(value: object) -> Instant:
    if isinstance(value, Instant):
        return value
    instant = validation_rules.read_instant(_read_text(value, validation_rules.INSTANT_LIMIT))
    if instant is None:
        raise ValueError(validation_rules.VALID_TIME.message)
    return instant


def _read_interval(value: object) -> Duration:
    if isinstance(value, Duration):
        return value
    interval = validation_rules.read_interval(_read_text(value, validation_rules.DURATION_LIMIT))
    if interval is None:
        raise ValueError(validation_rules.VALID_INTERVAL.message)
    return interval


def _read_delay(value: object) -> Duration:
    if isinstance(value, Duration):
        return value
    delay = validation_rules.read_delay(_read_text(value, validation_rules.DURATION_LIMIT))
    if delay is None:
        raise ValueError(validation_rules.VALID_DELAY.message)
    return delay


def _read_name(value: object) -> str:
    text = _read_text(value, validation_rules.NAME_LIMIT)
    for rule in (validation_rules.NO_BRACKETS, validation_rules.VALID_NAME):
        if not rule.check(text):
            raise ValueError(rule.message_for(text))
    return text


_to_text = PlainSerializer(str, return_type=str)
SpecTime = Annotated[
    Instant,
    PlainValidator(_read_instant),
    _to_text,
    _schema(validation_rules.VALID_TIME, max_length=validation_rules.INSTANT_LIMIT),
]
SpecInterval = Annotated[
    Duration,
    PlainValidator(_read_interval),
    _to_text,
    _schema(validation_rules.VALID_INTERVAL, max_length=validation_rules.DURATION_LIMIT),
]
SpecDelay = Annotated[
    Duration,
    PlainValidator(_read_delay),
    _to_text,
    _schema(validation_rules.VALID_DELAY, max_length=validation_rules.DURATION_LIMIT),
]
KustoName = Annotated[
    str,
    PlainValidator(_read_name),
    _schema(
        validation_rules.NO_BRACKETS,
        validation_rules.VALID_NAME,
        max_length=validation_rules.NAME_LIMIT,
    ),
]
# Status has no validation rules: only the worker writes it.
StatusTime = Annotated[
    Instant, PlainValidator(_read_instant), _to_text, WithJsonSchema({"type": "string"})
]
StatusDuration = Annotated[
    Duration, PlainValidator(_read_delay), _to_text, WithJsonSchema({"type": "string"})
]

_SHARES_TOKENS = (
    "True if the windows have the same tokens as windows of the schedule and of"
    " other backfills. Kusto then appends each window once. False if the backfill has its own"
    " tokens, as in release 0.1.0."
)
RequestId = Annotated[str, StringConstraints(min_length=1, max_length=253)]


class _Model(BaseModel):
    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, frozen=True, extra="ignore"
    )


def _backfill_schema(schema: dict[str, Any]) -> None:
    """CEL rules in place of ``required``, so that a rule of adx-mon may have its own bounds."""
    del schema["required"]
    schema["x-kubernetes-validations"] = [
        rule.as_validation() for rule in validation_rules.BACKFILL_RULES
    ]


def _shared_status_schema(schema: dict[str, Any]) -> None:
    """Keep the fields that adx-mon writes into the status of the rules that it runs."""
    del schema["required"]
    schema["x-kubernetes-preserve-unknown-fields"] = True


class BackfillSpec(_Model):
    """A past range to compute once, in addition to the schedule.

    The worker removes it when it is completed.
    """

    model_config = ConfigDict(json_schema_extra=_backfill_schema)

    start: SpecTime = Field(
        description="Inclusive start of the range: an RFC 3339 time in UTC or with an offset,"
        " with at most 7 fraction digits. It may be at most 30 days ago when the backfill is"
        " requested. Admission rounds it down to the grid of the interval. While the backfill"
        " runs, the worker advances it: every window before it is done."
    )
    end: SpecTime = Field(
        description="Exclusive end of the range: an RFC 3339 time, at most 30 days in the"
        " future. Admission rounds it up to the grid of the interval. If it is missing, admission"
        " sets it to the end of the last complete window. A later end extends a running backfill;"
        " no window runs again."
    )
    request_id: RequestId | None = Field(
        default=None,
        description="Identifies the request together with start. The same pair never runs"
        " twice. A new requestId requests another run of the same range.",
    )
    max_in_flight: int = Field(
        default=1,
        ge=1,
        le=20,
        strict=True,
        description="The maximum number of windows in flight, from 1 to 20. Default 1: one"
        " window after the other.",
    )
    suspend: bool = Field(
        default=False,
        strict=True,
        description="Pauses the backfill: windows in flight finish, and no new window is"
        " submitted. Default false.",
    )
    untagged: Literal["Keep"] | None = Field(
        default=None,
        description="For a rule with writeMode Replace. Keep: the backfill also runs windows"
        " before status.replace.since. Rows that mode Append wrote for these windows cannot be"
        " replaced, and stay.",
    )
    operation_id: str | None = Field(
        default=None,
        max_length=128,
        description="The oldest Kusto operation in flight. Only the worker sets it.",
    )
    start_time: str | None = Field(
        default=None,
        description="The start in adx-mon's form. When it is set or changed, admission copies"
        " it to start.",
    )
    end_time: str | None = Field(
        default=None,
        description="The end in adx-mon's form. When it is set or changed, admission copies it"
        " to end.",
    )


class SummaryRuleSpec(_Model):
    """What to compute, how often, and into which table."""

    database: KustoName = Field(
        description="The Kusto database that has the source tables and the result table. ASCII"
        " letters, digits, spaces, '_', '.' and '-', without brackets."
    )
    table: KustoName = Field(
        description="The table that results are appended to. Kusto creates it if it does not"
        " exist. ASCII letters, digits, spaces, '_', '.' and '-', without brackets."
    )
    body: str = Field(
        min_length=1,
        max_length=BODY_LIMIT,
        description="The KQL query over one window. It reads the bounds of the window as"
        " _startTime and _endTime, both inclusive: where Timestamp between (_startTime .."
        " _endTime). It reads the cluster labels as _<label>. It must not be a management command.",
    )
    interval: SpecInterval = Field(
        description="The length of a window, and the time between two windows of the schedule:"
        " a Go duration of at least 1m, such as 15m, 1h or 24h. Windows lie on a grid: they start"
        " at multiples of the interval, counted from Monday 0001-01-01T00:00:00Z."
    )
    ingestion_delay: SpecDelay = Field(
        default=Duration(0),
        description="The time that data may take to arrive, a Go duration. A window runs after"
        " its end plus this time. Default 0s.",
    )
    criteria: dict[str, list[str]] | None = Field(
        default=None,
        description="Where the rule runs. A key matches if its list contains the value of the"
        " worker's cluster label with the same name. Upper and lower case are equal. The rule runs"
        " if one key matches. If criteria is empty, the rule runs everywhere.",
    )
    criteria_expression: str | None = Field(
        default=None,
        max_length=8192,
        description="Where the rule runs, as a CEL expression. Each cluster label of the worker"
        " is a string variable: region in ['eastus', 'westus'] && env == 'prod'. The rule runs"
        " only if criteria match too.",
    )
    write_mode: WriteMode | None = Field(
        default=None,
        description="What happens to the rows of an earlier run when a window runs again."
        " Append (the default) keeps them and adds rows. Replace appends the new rows, and then"
        " drops the old ones.",
    )
    suspend: bool = Field(
        default=False,
        strict=True,
        description="Stops the schedule. A backfill still runs. When it is false again, the"
        " windows that were missed run. Default false.",
    )
    backfill: BackfillSpec | None = Field(
        default=None, description="A past range to compute once, in addition to the schedule."
    )
    name: str | None = Field(
        default=None, description="Deprecated and not used. metadata.name is the name of the rule."
    )
    upstream_backfill: SkipJsonSchema[
        Annotated[UpstreamRequest | None, PlainValidator(lambda value: value)]
    ] = Field(default=None, exclude=True)
    """``spec.backfill`` if it is in adx-mon's form; ``backfill`` is None then."""

    @model_validator(mode="before")
    @classmethod
    def _separate_upstream_backfill(cls, spec: object) -> object:
        backfill = spec.get("backfill") if isinstance(spec, dict) else None
        if not isinstance(spec, dict) or not is_upstream_request(backfill):
            return spec
        return {**spec, "backfill": None, "upstream_backfill": read_request(spec["backfill"])}

    @field_validator("criteria_expression")
    @classmethod
    def _ignore_blank_expression(cls, expression: str | None) -> str | None:
        """A blank expression is none, as for adx-mon."""
        return expression if expression and not expression.isspace() else None

    @property
    def replaces(self) -> bool:
        """Whether a window takes the place of its earlier rows."""
        return self.write_mode == "Replace"


class WindowStatus(_Model):
    """One window: its bounds, and the operation that computes it."""

    start: StatusTime = Field(description="Inclusive start.")
    end: StatusTime = Field(description="Exclusive end.")
    attempt: int = Field(default=1, description="The number of this attempt, from 1.")
    token: str = Field(
        default="",
        description="The ingest-by token of the append. Kusto ignores a repeat with the same"
        " token.",
    )
    operation_id: str | None = Field(default=None, description="The Kusto operation.")
    endpoint: str | None = Field(
        default=None, description="The Kusto endpoint that the window was sent to."
    )
    database: str | None = Field(
        default=None, description="The database that the window was sent to."
    )
    table: str | None = Field(default=None, description="The table that the rows are appended to.")
    submitted_at: StatusTime | None = Field(
        default=None,
        description="When the window was last submitted, or when the last attempt ended.",
    )
    error: str | None = Field(default=None, description="The error of the last attempt.")
    write_mode: WriteMode | None = Field(
        default=None,
        description="Replace if the window drops the rows of earlier runs. Otherwise, it only"
        " appends.",
    )

    @property
    def replaces(self) -> bool:
        """Whether the window is done only after the rows of its earlier runs are dropped."""
        return self.write_mode == "Replace"

    @property
    def window(self) -> Window:
        """Its bounds."""
        return Window(self.start, self.end)


class Range(_Model):
    """A half-open range of time."""

    start: StatusTime = Field(description="Inclusive start.")
    end: StatusTime = Field(description="Exclusive end.")


class EarlierGrid(_Model):
    """An earlier interval of the schedule."""

    interval: StatusDuration = Field(description="The interval.")
    until: StatusTime = Field(description="The end of the last window that ran with this interval.")


class ScheduleStatus(_Model):
    """The state of the schedule."""

    cursor: StatusTime | None = Field(
        default=None, description="The end of the last window that was recorded for submission."
    )
    last_done: StatusTime | None = Field(
        default=None, description="The end of the last window that completed."
    )
    in_flight: tuple[WindowStatus, ...] = Field(
        default=(), description="Windows that are submitted, or will be submitted next."
    )
    failed: tuple[WindowStatus, ...] = Field(
        default=(), description="Windows that failed permanently. Retry them with an annotation."
    )
    operation_time: StatusDuration | None = Field(
        default=None, description="The moving average of the time that an operation takes."
    )
    interval: StatusDuration | None = Field(
        default=None, description="The interval of the last window that was recorded."
    )
    earlier_grids: tuple[EarlierGrid, ...] = Field(
        default=(),
        description=f"The last {GRID_LIMIT} earlier intervals, newest first.",
    )
    upstream_until: StatusTime | None = Field(
        default=None, description="The end of the last window that adx-mon ran."
    )

    @property
    def taken_until(self) -> Instant | None:
        """The end of the last window that has an intent, has run or has failed; None before one."""
        ends = [window.end for window in (*self.in_flight, *self.failed)]
        ends += [] if self.cursor is None else [self.cursor]
        return max(ends, default=None)


class BackfillStatus(_Model):
    """The backfill that runs now, or ran last."""

    model_config = ConfigDict(json_schema_extra=_shared_status_schema)

    request_key: str = Field(default="", description="The key that identifies the request.")
    request_id: str | None = Field(default=None, description="The requestId of the request.")
    requested_start: StatusTime = Field(description="The requested inclusive start, on the grid.")
    requested_end: StatusTime = Field(description="The requested exclusive end, on the grid.")
    end_defaulted: bool = Field(default=False, description="True if admission set the end.")
    requested_by: str | None = Field(
        default=None, description="The user who requested the backfill."
    )
    requested_at: StatusTime | None = Field(
        default=None, description="When the worker first saw the request."
    )
    interval: StatusDuration | None = Field(
        default=None,
        description="The interval at the time of the request. It defines the grid of the start.",
    )
    phase: Phase = Field(default="Pending", description="The phase of the backfill.")
    reason: str | None = Field(default=None, description="The reason of phase Failed, in one word.")
    done_until: StatusTime = Field(description="Every window before this time is done.")
    done_ahead: tuple[Range, ...] = Field(
        default=(), description="Ranges after doneUntil whose windows are done."
    )
    spec_hash: str = Field(
        default="",
        description="A hash of the database, table, body and interval that the backfill uses.",
    )
    windows_total: int = Field(default=0, description="The number of windows in the whole range.")
    windows_done: int = Field(default=0, description="The number of windows that completed.")
    windows_already_there: int = Field(
        default=0,
        description="The number of completed windows whose rows were already in the table: the"
        " schedule or another backfill appended them with the same token.",
    )
    windows_retried: int = Field(
        default=0, description="The number of attempts after the first attempt of each window."
    )
    percent: int = Field(
        default=0, description="The share of windows that completed or were skipped, in percent."
    )
    progress: str = Field(
        default="",
        description="The number of windows that are done, and of all windows, such as 312/720.",
    )
    in_flight: tuple[WindowStatus, ...] = Field(
        default=(),
        description="Windows that are submitted, or will be submitted next, oldest first.",
    )
    failed: tuple[WindowStatus, ...] = Field(
        default=(),
        description="Windows that failed permanently. Retry or skip them with an annotation.",
    )
    skipped: tuple[WindowStatus, ...] = Field(
        default=(), description=f"The last {SKIPPED_LIMIT} windows that a user skipped."
    )
    windows_skipped: int = Field(
        default=0, description="The number of windows that a user skipped."
    )
    last_error: str | None = Field(default=None, description="The error of the latest failure.")
    started_at: StatusTime | None = Field(
        default=None, description="When the first window was submitted."
    )
    paced_from: StatusTime | None = Field(
        default=None,
        description="The time from which the pace is measured: the start, or the end of the"
        " last pause.",
    )
    paced_windows: int = Field(
        default=0, description="The number of windows that were done at pacedFrom."
    )
    estimated_completion: StatusTime | None = Field(
        default=None, description="When the backfill will complete if the pace does not change."
    )
    operation_time: StatusDuration | None = Field(
        default=None, description="The moving average of the time that an operation takes."
    )
    clearing: bool = Field(
        default=False, description="True if the worker still has to remove spec.backfill."
    )
    shares_tokens: bool = Field(default=False, description=_SHARES_TOKENS)
    write_mode: WriteMode | None = Field(
        default=None, description="Replace if all windows ran in mode Replace."
    )
    tags_read_until: StatusTime | None = Field(
        default=None,
        description="Before it sent the first window, the worker read the tags of the table for"
        " the windows before this time.",
    )


class BackfillRecord(_Model):
    """A backfill that has ended."""

    key: str = Field(default="", description="The key that identifies the request.")
    id: str | None = Field(default=None, description="The requestId of the request.")
    start: StatusTime = Field(description="The requested inclusive start, on the grid.")
    end: StatusTime = Field(description="The requested exclusive end, on the grid.")
    end_defaulted: bool = Field(default=False, description="True if admission set the end.")
    by: str | None = Field(default=None, description="The user who requested the backfill.")
    phase: Phase = Field(default="Completed", description="The phase in which the backfill ended.")
    interval: StatusDuration | None = Field(
        default=None,
        description="The interval at the time of the request. It defines the grid of the start.",
    )
    windows: int = Field(default=0, description="The number of windows that completed.")
    progress: str | None = Field(
        default=None,
        description="The number of windows that were done, and of all windows, such as 25/63.",
    )
    windows_already_there: int = Field(
        default=0,
        description="The number of completed windows whose rows were already in the table.",
    )
    shares_tokens: bool = Field(default=False, description=_SHARES_TOKENS)
    done_until: StatusTime | None = Field(
        default=None, description="Every window from start to this time is done."
    )
    done_ahead: tuple[Range, ...] = Field(
        default=(), description="Ranges after doneUntil whose windows are done."
    )
    unfinished: tuple[WindowStatus, ...] = Field(
        default=(),
        description="Windows that were in flight or had failed when the backfill ended. If the"
        " same backfill is requested again, it starts with these windows. They keep their bounds"
        " and tokens.",
    )
    operation_time: StatusDuration | None = Field(
        default=None, description="The moving average of the time that an operation takes."
    )
    finished_at: StatusTime | None = Field(default=None, description="When the backfill ended.")


class Condition(_Model):
    """A condition of the rule, as metav1.Condition."""

    model_config = ConfigDict(coerce_numbers_to_str=False)

    type: str = Field(description="The type of the condition.")
    status: Literal["True", "False", "Unknown"] = Field(description="True, False or Unknown.")
    reason: str = Field(default="Unknown", description="The reason, in one word.")
    message: str = Field(default="", description="The explanation, in a sentence.")
    last_transition_time: StatusTime | None = Field(
        default=None, description="When the status of the condition last changed."
    )
    observed_generation: int | None = Field(
        default=None, description="The generation of the rule that the condition is about."
    )


class ReplaceStatus(_Model):
    """Which windows mode Replace can replace."""

    since: StatusTime = Field(
        description="All rows of windows from this time on have a tag of their run, so that a"
        " later run replaces them. Windows before this time may have rows of mode Append."
    )
    interval: StatusDuration = Field(description="The interval of the windows since this time.")
    tags_since: StatusTime = Field(
        description="The drop-by tags of windows before this time were removed, so that Kusto"
        " merges their extents. No backfill can start that early."
    )


class SummaryRuleStatus(_Model):
    """The state that the worker has recorded."""

    observed_generation: int | None = Field(
        default=None, description="The generation of the rule that the worker has processed."
    )
    conditions: tuple[Condition, ...] = Field(
        default=(),
        description="The conditions, one of each type.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
    )
    query_hash: str | None = Field(
        default=None,
        description="A hash of what the condition QueryValid is about: database, table, body,"
        " endpoint and cluster labels.",
    )
    schedule: ScheduleStatus | None = Field(default=None, description="The state of the schedule.")
    backfill: BackfillStatus | None = Field(
        default=None, description="The backfill that runs now, or ran last."
    )
    replace: ReplaceStatus | None = Field(default=None, description="The state of mode Replace.")
    backfill_history: tuple[BackfillRecord, ...] = Field(
        default=(), description=f"The last {HISTORY_LIMIT} backfills that have ended, newest first."
    )
    upstream_backfill: SkipJsonSchema[
        Annotated[UpstreamProgress | None, PlainValidator(lambda value: value)]
    ] = Field(default=None, exclude=True)
    """``status.backfill`` if adx-mon wrote it; ``backfill`` is None then."""

    @model_validator(mode="before")
    @classmethod
    def _separate_upstream_backfill(cls, status: object) -> object:
        backfill = status.get("backfill") if isinstance(status, dict) else None
        if not isinstance(status, dict) or not is_upstream_progress(backfill):
            return status
        return {**status, "backfill": None, "upstream_backfill": read_progress(status["backfill"])}


class ObjectMeta(_Model):
    """The part of metav1.ObjectMeta that the operator reads."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: StatusTime | None = None
    deletion_timestamp: StatusTime | None = None
    annotations: dict[str, str] = Field(default_factory=dict)
    finalizers: tuple[str, ...] = ()
    managed_fields: tuple[dict[str, Any], ...] = ()


class SummaryRule(_Model):
    """Runs a KQL query over each interval of time, and appends the result to a table."""

    model_config = ConfigDict(
        json_schema_extra={
            "x-kubernetes-crd": {
                "group": GROUP,
                "version": VERSION,
                "names": {
                    "kind": KIND,
                    "plural": PLURAL,
                    "singular": "summaryrule",
                    "shortNames": ["sr"],
                    "categories": ["adx-mon"],
                },
                "scope": "Namespaced",
                "served": True,
                "storage": True,
                "subresources": {"status": {}},
                "additionalPrinterColumns": [
                    {
                        "name": "Ready",
                        "type": "string",
                        "jsonPath": '.status.conditions[?(@.type=="Ready")].status',
                        "description": "True if the rule runs as it should.",
                    },
                    {
                        "name": "Reason",
                        "type": "string",
                        "jsonPath": '.status.conditions[?(@.type=="Ready")].reason',
                        "description": "The reason, in one word.",
                    },
                    {"name": "Database", "type": "string", "jsonPath": ".spec.database"},
                    {"name": "Table", "type": "string", "jsonPath": ".spec.table"},
                    {"name": "Interval", "type": "string", "jsonPath": ".spec.interval"},
                    {
                        "name": "Last",
                        "type": "string",
                        "jsonPath": ".status.schedule.lastDone",
                        "description": "The end of the last window that completed.",
                    },
                    {"name": "Backfill", "type": "string", "jsonPath": ".status.backfill.phase"},
                    {"name": "Progress", "type": "string", "jsonPath": ".status.backfill.progress"},
                    {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
                    {
                        "name": "Message",
                        "type": "string",
                        "jsonPath": '.status.conditions[?(@.type=="Ready")].message',
                        "description": "The explanation, in a sentence.",
                        "priority": 1,
                    },
                ],
            }
        }
    )

    api_version: str = API_VERSION
    kind: str = KIND
    metadata: ObjectMeta = Field(default_factory=ObjectMeta)
    spec: SummaryRuleSpec
    # Until a worker has written the status, kstatus must not call the rule Current; Flux's own APIs
    # have this default as well.
    status: SummaryRuleStatus | None = Field(
        default=None, json_schema_extra={"default": {"observedGeneration": NOT_OBSERVED}}
    )


def dump(model: BaseModel) -> dict[str, Any]:
    """The model as the API server stores it: camelCase, without unset and empty values."""
    dumped = model.model_dump(by_alias=True, exclude_none=True, mode="json")
    return dict(_without_empty(dumped).items())


def _without_empty(value: Any) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, dict):
        pruned = {key: _without_empty(child) for key, child in value.items()}
        return {key: child for key, child in pruned.items() if child not in ([], {})}
    if isinstance(value, list):
        return [_without_empty(child) for child in value]
    return value
