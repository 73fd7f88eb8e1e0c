"""Windows, seven-digit bounds, and the grid of `bin`."""

import pytest
from azure.kusto.data.exceptions import KustoApiError

from tests.emulator.client import Kusto

HALF_HOURS = "T | where Timestamp between (_startTime .. _endTime) | summarize N = count()"


def window(start: str, end: str) -> str:
    return f"let _startTime=datetime({start});\nlet _endTime=datetime({end});\n{HALF_HOURS}"


@pytest.fixture
def table(kusto: Kusto) -> Kusto:
    """Rows on, just before and just after the full hour."""
    kusto.mgmt(".create table T (Timestamp: datetime)")
    times = ["00:00:00", "00:59:59.999999", "01:00:00", "01:00:00.000001", "01:59:59.9999999"]
    rows = "\n".join(f"2026-11-01T{time}Z" for time in times)
    kusto.mgmt(f".ingest inline into table T <| {rows}")
    return kusto


def counted(kusto: Kusto, start: str, end: str) -> int:
    day = "2026-11-01T"
    return int(kusto.query(window(f"{day}{start}Z", f"{day}{end}Z"))[0]["N"])


def test_an_inclusive_end_one_tick_before_takes_all_of_its_window_and_no_more(table: Kusto) -> None:
    assert counted(table, "00:00:00", "00:59:59.9999999") == 2
    assert counted(table, "01:00:00", "01:59:59.9999999") == 3


def test_windows_that_meet_between_two_microseconds_take_each_row_once(table: Kusto) -> None:
    assert counted(table, "00:00:00", "01:00:00.0000004") == 3
    assert counted(table, "01:00:00.0000005", "01:59:59.9999999") == 2


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("Timestamp >= datetime(2026-11-01T01:00:00.0000001Z)", 2),
        ("Timestamp > datetime(2026-11-01T01:00:00.0000001Z)", 2),
        ("Timestamp < datetime(2026-11-01T01:00:00.0000001Z)", 3),
        ("Timestamp <= datetime(2026-11-01T01:00:00.0000009Z)", 3),
        ("datetime(2026-11-01T01:00:00.0000001Z) <= Timestamp", 2),
        ("datetime(2026-11-01T01:00:00.0000001Z) > Timestamp", 3),
        ("Timestamp !between (datetime(2026-11-01T01:00:00.0000001Z) .. datetime(2027-01-01))", 3),
        ("Timestamp >= datetime(2026-11-01T02:00:00.0000001Z) - 1h", 2),
        ("Timestamp == datetime(2026-11-01T01:00:00.0000000Z)", 1),
    ],
)
def test_a_comparison_with_the_seventh_digit_is_exact(
    table: Kusto, condition: str, expected: int
) -> None:
    assert table.query(f"T | where {condition} | count") == [{"Count": expected}]


def test_a_column_of_a_bounds_name_still_wins(table: Kusto) -> None:
    shadowed = "let low=datetime(2026-11-01T01:00:00.0000001Z); T | extend low=Timestamp"
    assert table.query(f"{shadowed} | where Timestamp >= low | count") == [{"Count": 5}]


def test_equality_with_ticks_is_exact(table: Kusto) -> None:
    last = "Timestamp == datetime(2026-11-01T01:59:59.9999999Z)"
    assert table.query(f"T | where {last} | count") == [{"Count": 1}]
    assert table.query("T | where Timestamp == datetime(2026-11-01T01:00:00.0000001Z)") == []


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("bin(datetime(2026-11-05T10:00:00Z), 7d)", "2026-11-02T00:00:00.0000000Z"),
        ("bin(datetime(2026-11-02T00:00:00Z), 7d)", "2026-11-02T00:00:00.0000000Z"),
        ("bin(datetime(2026-11-01T23:59:59.999999Z), 7d)", "2026-10-26T00:00:00.0000000Z"),
        ("bin(datetime(1960-01-02T00:00:00Z), 7d)", "1959-12-28T00:00:00.0000000Z"),
        ("bin(datetime(2026-11-05T10:17:29Z), 15m)", "2026-11-05T10:15:00.0000000Z"),
        ("bin(datetime(2026-11-05T00:00:00.003Z), 1ms)", "2026-11-05T00:00:00.0030000Z"),
        ("bin(datetime(2026-11-05T00:00:00.1Z), 100ms)", "2026-11-05T00:00:00.1000000Z"),
        ("floor(datetime(2026-11-05T10:00:00Z), 7d)", "2026-11-02T00:00:00.0000000Z"),
        ("bin(25h, 1d)", "1.00:00:00"),
        ("bin(-1h, 1d)", "-1.00:00:00"),
        ("bin(7, 5)", 7 // 5 * 5),
        ("bin(1.7, 0.5)", 1.5),
    ],
)
def test_bins_are_kustos(kusto: Kusto, expression: str, expected: object) -> None:
    table = kusto.client.execute_query(kusto.database, f"print {expression}").primary_results[0]
    assert table.raw_rows == [[expected]]


def test_weekly_bins_of_a_column_begin_on_monday(kusto: Kusto) -> None:
    kusto.mgmt(".set T <| range d from datetime(2026-10-26) to datetime(2026-11-08) step 1d")
    rows = kusto.query("T | summarize N = count() by bin(d, 7d) | order by d asc")
    assert [(row["d"].isoformat()[:10], row["N"]) for row in rows] == [
        ("2026-10-26", 7),
        ("2026-11-02", 7),
    ]


def test_a_timespan_column_is_binned_as_one(kusto: Kusto) -> None:
    rows = kusto.query("datatable(t: timespan)[1h, 25h] | extend t = bin(t, 2h)")
    assert [row["t"].total_seconds() for row in rows] == [0, 24 * 3600]


@pytest.mark.parametrize("text", ["garbage", "2026-13-01", "2026-11-01T25:00:00Z", "2026"])
def test_what_is_no_time_is_refused_not_null(kusto: Kusto, text: str) -> None:
    with pytest.raises(KustoApiError, match="is no time here"):
        kusto.query(f"print datetime({text})")
