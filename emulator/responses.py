"""Result tables in the two reply formats that Kusto clients read.

Sources: Kusto docs, "Query V1 HTTP
response" and "Query V2 HTTP response"; azure-kusto-data 6.0.4 `response.py`.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec

from emulator.engine.syntax import Render
from emulator.scalar import Scalar
from emulator.value_encoding import Value, datetime_text, encode


@dataclass(frozen=True)
class Column:
    """One column of a result: its name and Kusto type."""

    name: str
    scalar: Scalar


@dataclass(frozen=True)
class Table:
    """A result: columns, and rows of DuckDB values in their order."""

    columns: list[Column]
    rows: list[tuple[Value, ...]]
    chart: Render | None = None

    def encoded(self) -> list[list[Value]]:
        """The rows as JSON-ready values."""
        return encode(self.rows, [column.scalar.name for column in self.columns])


def v1_response(table: Table) -> dict[str, Any]:
    """The reply to `/v1/rest/mgmt` and `/v1/rest/query`: one table."""
    columns = [
        {
            "ColumnName": column.name,
            "DataType": column.scalar.dotnet,
            "ColumnType": column.scalar.name,
        }
        for column in table.columns
    ]
    return {"Tables": [{"TableName": "Table_0", "Columns": columns, "Rows": table.encoded()}]}


@dataclass(frozen=True)
class ResultFormat:
    """How a client wants a v2 reply: one frame a line, the rows in fragments, errors where."""

    newlines: bool = False
    fragments: bool = False
    errors: str = "in_data"


_ERRORS: Final = {
    "in_data": "InData",
    "end_of_table": "EndOfTable",
    "end_of_dataset": "EndOfDataSet",
}


def encode_frames(frames: list[dict[str, Any]], form: ResultFormat) -> bytes:
    """The frames as JSON; with `newlines`, one a line with the comma before it."""
    if not form.newlines:
        return msgspec.json.encode(frames)
    lines = [msgspec.json.encode(frame) for frame in frames]
    return b"[" + b"\n,".join(lines) + b"\n]\n"


def v2_response(
    table: Table, activity: UUID, now: datetime, form: ResultFormat
) -> list[dict[str, Any]]:
    """The reply to `/v2/rest/query`: header, properties, rows, completion information, end."""
    columns = [
        {"ColumnName": column.name, "ColumnType": column.scalar.name} for column in table.columns
    ]
    header = _HEADER | {
        "IsFragmented": form.fragments,
        "ErrorReportingPlacement": _ERRORS.get(form.errors, "InData"),
    }
    primary = _data(1, "PrimaryResult", "PrimaryResult", columns, table.encoded())
    return [
        header,
        _data(0, "QueryProperties", "@ExtendedProperties", _PROPERTIES, [_chart(table.chart)]),
        *(_fragments(primary) if form.fragments else [primary]),
        _data(2, _COMPLETION, _COMPLETION, _STATUS, [_completed(activity, now)]),
        {"FrameType": "DataSetCompletion", "HasErrors": False, "Cancelled": False},
    ]


def _fragments(table: dict[str, Any]) -> list[dict[str, Any]]:
    """A table as a header, its rows, and their number."""
    number, rows = table["TableId"], table["Rows"]
    header = {key: value for key, value in table.items() if key != "Rows"}
    return [
        header | {"FrameType": "TableHeader"},
        {
            "FrameType": "TableFragment",
            "TableFragmentType": "DataAppend",
            "TableId": number,
            "Rows": rows,
        },
        {"FrameType": "TableCompletion", "TableId": number, "RowCount": len(rows)},
    ]


def _chart(chart: Render | None) -> list[Value]:
    """What `render` asks for, as the Visualization property."""
    asked: dict[str, Value] = {"Visualization": None}
    if chart is not None:
        asked = {"Visualization": chart.chart, **dict(chart.properties)}
    return [1, "Visualization", json.dumps(asked)]


def _data(
    number: int, kind: str, name: str, columns: list[dict[str, str]], rows: list[list[Value]]
) -> dict[str, Any]:
    frame = {"FrameType": "DataTable", "TableId": number, "TableKind": kind, "TableName": name}
    return frame | {"Columns": columns, "Rows": rows}


def _columns(**types: str) -> list[dict[str, str]]:
    return [{"ColumnName": name, "ColumnType": kind} for name, kind in types.items()]


_COMPLETION: Final = "QueryCompletionInformation"
_HEADER: Final = {
    "FrameType": "DataSetHeader",
    "IsProgressive": False,
    "Version": "v2.0",
    "IsFragmented": False,
    "ErrorReportingPlacement": "InData",
}
_PROPERTIES: Final = _columns(TableId="int", Key="string", Value="dynamic")
_STATUS: Final = _columns(
    Timestamp="datetime",
    ClientRequestId="string",
    ActivityId="guid",
    SubActivityId="guid",
    ParentActivityId="guid",
    Level="int",
    LevelName="string",
    StatusCode="int",
    StatusCodeName="string",
    EventType="int",
    EventTypeName="string",
    Payload="string",
)


def _completed(activity: UUID, now: datetime) -> list[Value]:
    payload = json.dumps({"Count": 1, "Text": "Query completed successfully"})
    ids = [str(activity)] * 4
    outcome = [4, "Info", 0, "S_OK (0)", 4, "QueryInfo", payload]
    return [datetime_text(now), *ids, *outcome]
