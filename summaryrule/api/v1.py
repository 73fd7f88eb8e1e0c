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
    "Whether its windows have the tokens that interval runs and other backfills have, so that Kusto"
    " appends each window once. Else they have tokens of its own, as in release 0.1.0."
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
    """A past range to compute once, beside the schedule. The worker removes it when done."""

    model_config = ConfigDict(json_schema_extra=_backfill_schema)

    start: SpecTime = Field(
        description="Inclusive start of the range: an RFC 3339 time in UTC or with an offset, at"
        " most 7 fraction digits, at most 30 days ago when requested. Admission floors it to the"
        " interval's grid. While the backfill runs the worker advances it: everything before it"
        " is done."
    )
    end: SpecTime = Field(
        description="Exclusive end of the range: an RFC 3339 time, at most 30 days in the future."
        " Admission ceils it to the interval's grid; left out, it is the end of the last complete"
        " window. A later end extends a running backfill and re-runs nothing."
    )
    request_id: RequestId | None = Field(
        default=None,
        description="Names the request, together with start. The same pair never runs twice; a"
        " new requestId asks for the same range again.",
    )
    max_in_flight: int = Field(
        default=1,
        ge=1,
        le=20,
        strict=True,
        description="How many windows may be in flight at once, 1 to 20. Default 1: one after"
        " the other.",
    )
    suspend: bool = Field(
        default=False,
        strict=True,
        description="Pauses the backfill: windows in flight end, none is submitted. Default false.",
    )
    untagged: Literal["Keep"] | None = Field(
        default=None,
        description="For a rule with writeMode Replace. Keep: run also windows before"
        " status.replace.since, whose rows of mode Append cannot be replaced and stay.",
    )
    operation_id: str | None = Field(
        default=None,
        max_length=128,
        description="Set by the worker only: the oldest Kusto operation in flight.",
    )
    start_time: str | None = Field(
        default=None,
        description="adx-mon's name for start. Admission copies it to start when it is set or"
        " changed.",
    )
    end_time: str | None = Field(
        default=None,
        description="adx-mon's name for end. Admission copies it to end when it is set or changed.",
    )


class SummaryRuleSpec(_Model):
    """What to compute, how often, and into which table."""

    database: KustoName = Field(
        description="The Kusto database that holds the source and the table: ASCII letters,"
        " digits, spaces, '_', '.' and '-', without brackets."
    )
    table: KustoName = Field(
        description="The table that results are appended to; made when missing. ASCII letters,"
        " digits, spaces, '_', '.' and '-', without brackets."
    )
    body: str = Field(
        min_length=1,
        max_length=BODY_LIMIT,
        description="The KQL query over one window, which reads its bounds as _startTime and"
        " _endTime, both inclusive: where Timestamp between (_startTime .. _endTime). Cluster"
        " labels are there as _<label>. No management command.",
    )
    interval: SpecInterval = Field(
        description="Length of a window and cadence of the schedule: a Go duration of at least"
        " 1m, such as 15m, 1h or 24h. Windows lie on a grid that counts from Monday"
        " 0001-01-01T00:00:00Z."
    )
    ingestion_delay: SpecDelay = Field(
        default=Duration(0),
        description="How long data may take to arrive, a Go duration: a window runs once its end"
        " is this long ago. Default 0s.",
    )
    criteria: dict[str, list[str]] | None = Field(
        default=None,
        description="Where the rule runs: any key whose list contains the worker's cluster label"
        " of that name matches, in any case. Empty: everywhere.",
    )
    criteria_expression: str | None = Field(
        default=None,
        max_length=8192,
        description="Where the rule runs, as a CEL expression over the worker's cluster labels,"
        " each a string variable, such as region in ['eastus', 'westus'] && env == 'prod'. Must"
        " hold as well as criteria.",
    )
    write_mode: WriteMode | None = Field(
        default=None,
        description="What a window does with rows that this rule wrote for it before. Append (the"
        " default) adds rows. Replace appends the new rows and then drops the old ones.",
    )
    suspend: bool = Field(
        default=False,
        strict=True,
        description="Stops interval runs; a backfill still runs. Missed windows run when it is"
        " false again. Default false.",
    )
    backfill: BackfillSpec | None = Field(
        default=None, description="A past range to compute once, beside the schedule."
    )
    name: str | None = Field(
        default=None, description="Deprecated and unused: metadata.name names the rule."
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
    """One window's intent and fate: its bounds, and the operation that computes it."""

    start: StatusTime = Field(description="Inclusive start.")
    end: StatusTime = Field(description="Exclusive end.")
    attempt: int = Field(default=1, description="Which attempt this is, from 1.")
    token: str = Field(
        default="",
        description="The ingest-by token of the append; a repeat with it never doubles data.",
    )
    operation_id: str | None = Field(default=None, description="The Kusto operation.")
    endpoint: str | None = Field(default=None, description="The Kusto endpoint it was sent to.")
    database: str | None = Field(default=None, description="The database it was sent to.")
    table: str | None = Field(default=None, description="The table it was appended to.")
    submitted_at: StatusTime | None = Field(
        default=None, description="When it was last submitted, or when the last attempt ended."
    )
    error: str | None = Field(default=None, description="Why the last attempt failed.")
    write_mode: WriteMode | None = Field(
        default=None, description="Replace if it drops the rows of earlier runs; else it appends."
    )

    @property
    def replaces(self) -> bool:
        """Whether it is done only when the rows of its earlier runs are dropped."""
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
    """An interval that the schedule had before."""

    interval: StatusDuration = Field(description="The interval.")
    until: StatusTime = Field(description="End of the last window that ran with it.")


class ScheduleStatus(_Model):
    """Where interval runs stand."""

    cursor: StatusTime | None = Field(
        default=None, description="End of the last window whose submission was recorded."
    )
    last_done: StatusTime | None = Field(
        default=None, description="End of the last window that completed."
    )
    in_flight: tuple[WindowStatus, ...] = Field(
        default=(), description="Windows submitted or about to be."
    )
    failed: tuple[WindowStatus, ...] = Field(
        default=(), description="Windows that failed for good; retry them by annotation."
    )
    operation_time: StatusDuration | None = Field(
        default=None, description="How long an operation took of late, as a moving average."
    )
    interval: StatusDuration | None = Field(
        default=None, description="The interval of the last window that was recorded."
    )
    earlier_grids: tuple[EarlierGrid, ...] = Field(
        default=(),
        description=f"The intervals before it, newest first, the last {GRID_LIMIT} of them.",
    )
    upstream_until: StatusTime | None = Field(
        default=None, description="End of the last window that adx-mon ran."
    )


class BackfillStatus(_Model):
    """The backfill that runs or ran last."""

    model_config = ConfigDict(json_schema_extra=_shared_status_schema)

    request_key: str = Field(default="", description="Identity of the request.")
    request_id: str | None = Field(default=None, description="The requestId asked for.")
    requested_start: StatusTime = Field(description="Inclusive start asked for, on the grid.")
    requested_end: StatusTime = Field(description="Exclusive end asked for, on the grid.")
    end_defaulted: bool = Field(default=False, description="Whether admission chose the end.")
    requested_by: str | None = Field(default=None, description="The user who asked for it.")
    requested_at: StatusTime | None = Field(default=None, description="When it was first seen.")
    interval: StatusDuration | None = Field(
        default=None, description="The interval it was asked for with: the grid of its start."
    )
    phase: Phase = Field(default="Pending", description="Where it stands.")
    reason: str | None = Field(default=None, description="Why it is Failed, in one word.")
    done_until: StatusTime = Field(description="High-water mark: every window before it is done.")
    done_ahead: tuple[Range, ...] = Field(
        default=(), description="Windows done beyond doneUntil, as merged ranges."
    )
    spec_hash: str = Field(
        default="", description="Identity of the database, table, body and interval it runs."
    )
    windows_total: int = Field(default=0, description="Windows in the whole range.")
    windows_done: int = Field(default=0, description="Windows completed.")
    windows_already_there: int = Field(
        default=0,
        description="Windows of those completed whose rows were in the table before: an interval"
        " run or another backfill appended them under the same token.",
    )
    windows_retried: int = Field(default=0, description="Attempts beyond each window's first.")
    percent: int = Field(default=0, description="Windows completed or skipped, in percent.")
    progress: str = Field(default="", description="Windows done of windows in all, as 312/720.")
    in_flight: tuple[WindowStatus, ...] = Field(
        default=(), description="Windows submitted or about to be, oldest first."
    )
    failed: tuple[WindowStatus, ...] = Field(
        default=(), description="Windows that failed for good: retry or skip them by annotation."
    )
    skipped: tuple[WindowStatus, ...] = Field(
        default=(), description=f"Windows left out on request, the last {SKIPPED_LIMIT} of them."
    )
    windows_skipped: int = Field(default=0, description="Windows left out on request.")
    last_error: str | None = Field(default=None, description="The newest failure.")
    started_at: StatusTime | None = Field(default=None, description="When the first window ran.")
    paced_from: StatusTime | None = Field(
        default=None, description="When the pace is counted from: the start, or the last pause."
    )
    paced_windows: int = Field(default=0, description="Windows that were done by then.")
    estimated_completion: StatusTime | None = Field(
        default=None, description="When it should be done at the pace so far."
    )
    operation_time: StatusDuration | None = Field(
        default=None, description="How long an operation took of late, as a moving average."
    )
    clearing: bool = Field(
        default=False, description="Whether spec.backfill is still to be removed."
    )
    shares_tokens: bool = Field(default=False, description=_SHARES_TOKENS)
    write_mode: WriteMode | None = Field(
        default=None, description="Replace if all of its windows ran in that mode."
    )
    tags_read_until: StatusTime | None = Field(
        default=None,
        description="Before the first window was sent, the tags of the table were read for the"
        " windows up to here.",
    )


class BackfillRecord(_Model):
    """A backfill that ended."""

    key: str = Field(default="", description="Identity of the request.")
    id: str | None = Field(default=None, description="The requestId asked for.")
    start: StatusTime = Field(description="Inclusive start asked for, on the grid.")
    end: StatusTime = Field(description="Exclusive end asked for, on the grid.")
    end_defaulted: bool = Field(default=False, description="Whether admission chose the end.")
    by: str | None = Field(default=None, description="The user who asked for it.")
    phase: Phase = Field(default="Completed", description="How it ended.")
    interval: StatusDuration | None = Field(
        default=None, description="The interval it was asked for with: the grid of its start."
    )
    windows: int = Field(default=0, description="Windows completed.")
    progress: str | None = Field(
        default=None, description="How far it was, such as 25/63: windows finished and in total."
    )
    windows_already_there: int = Field(
        default=0, description="Windows of those completed whose rows were in the table before."
    )
    shares_tokens: bool = Field(default=False, description=_SHARES_TOKENS)
    done_until: StatusTime | None = Field(
        default=None, description="Every window from start to here is done."
    )
    done_ahead: tuple[Range, ...] = Field(
        default=(), description="Windows done beyond doneUntil, as merged ranges."
    )
    unfinished: tuple[WindowStatus, ...] = Field(
        default=(),
        description="Windows that were in flight or had failed when it ended. Asked for again, it"
        " begins with them, each with its own bounds and token.",
    )
    operation_time: StatusDuration | None = Field(
        default=None, description="How long an operation took of late, as a moving average."
    )
    finished_at: StatusTime | None = Field(default=None, description="When it ended.")


class Condition(_Model):
    """One aspect of the rule's state, as metav1.Condition."""

    model_config = ConfigDict(coerce_numbers_to_str=False)

    type: str = Field(description="The aspect.")
    status: Literal["True", "False", "Unknown"] = Field(description="True, False or Unknown.")
    reason: str = Field(default="Unknown", description="Why, in one word.")
    message: str = Field(default="", description="Why, in a sentence.")
    last_transition_time: StatusTime | None = Field(
        default=None, description="When the status last changed."
    )
    observed_generation: int | None = Field(
        default=None, description="The generation this was judged on."
    )


class ReplaceStatus(_Model):
    """What mode Replace can replace."""

    since: StatusTime = Field(
        description="Windows from here on have no rows without a tag of their run, so that a later"
        " run replaces them. Windows before may have rows of mode Append."
    )
    interval: StatusDuration = Field(description="The interval of these windows.")
    tags_since: StatusTime = Field(
        description="The drop-by tags of windows before it were removed, so that Kusto merges their"
        " extents: no backfill can reach them."
    )


class SummaryRuleStatus(_Model):
    """What the worker has seen and done."""

    observed_generation: int | None = Field(
        default=None, description="The generation last acted on."
    )
    conditions: tuple[Condition, ...] = Field(
        default=(),
        description="Conditions, one of each type.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
    )
    query_hash: str | None = Field(
        default=None,
        description="Hash of what the condition QueryValid was judged on: database, table, body,"
        " endpoint and cluster labels.",
    )
    schedule: ScheduleStatus | None = Field(default=None, description="Interval runs.")
    backfill: BackfillStatus | None = Field(
        default=None, description="The backfill that runs or ran last."
    )
    replace: ReplaceStatus | None = Field(default=None, description="Mode Replace.")
    backfill_history: tuple[BackfillRecord, ...] = Field(
        default=(), description=f"The last {HISTORY_LIMIT} backfills that ended, newest first."
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
    """Runs a KQL query over every interval of time and appends the result to a table."""

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
                        "description": "Whether the rule runs as it should.",
                    },
                    {
                        "name": "Reason",
                        "type": "string",
                        "jsonPath": '.status.conditions[?(@.type=="Ready")].reason',
                        "description": "Why, in one word.",
                    },
                    {"name": "Database", "type": "string", "jsonPath": ".spec.database"},
                    {"name": "Table", "type": "string", "jsonPath": ".spec.table"},
                    {"name": "Interval", "type": "string", "jsonPath": ".spec.interval"},
                    {
                        "name": "Last",
                        "type": "string",
                        "jsonPath": ".status.schedule.lastDone",
                        "description": "End of the last window that completed.",
                    },
                    {"name": "Backfill", "type": "string", "jsonPath": ".status.backfill.phase"},
                    {"name": "Progress", "type": "string", "jsonPath": ".status.backfill.progress"},
                    {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
                    {
                        "name": "Message",
                        "type": "string",
                        "jsonPath": '.status.conditions[?(@.type=="Ready")].message',
                        "description": "Why, in a sentence.",
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
