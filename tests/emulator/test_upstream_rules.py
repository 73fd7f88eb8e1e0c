"""The rules that upstream's own documents show (adx-mon 905bfa4), as the worker submits them."""

import pytest
from azure.kusto.data.exceptions import KustoApiError

from tests.emulator.client import Kusto

BOUNDS = (
    "let _startTime=datetime(2026-11-01T00:00:00.0000000Z);\n"
    "let _endTime=datetime(2026-11-01T00:59:59.9999999Z);\n"
    'let _environment="prod";\nlet _region="eastus";\n'
)
IN_WINDOW = "| where Timestamp between (_startTime .. _endTime)"
TABLES = {
    "Metrics": "Timestamp:datetime, Name:string, Pod:string, Namespace:string, Value:real",
    "Logs": "Timestamp:datetime, Environment:string, Region:string, Level:string, Service:string",
    "ExternalMetrics": "Timestamp:datetime, Source:string, Time:real, Status:long, Endpoint:string",
    "SomeMetric": "Timestamp:datetime, Value:real",
}


@pytest.fixture
def telemetry(kusto: Kusto) -> Kusto:
    for table, columns in TABLES.items():
        kusto.mgmt(f".create table {table} ({columns})")
    kusto.mgmt(
        ".ingest inline into table Metrics <|\n"
        "2026-11-01T00:10:00Z,cpu_usage_percent,p1,ns,10\n"
        "2026-11-01T00:59:59.9999999Z,cpu_usage_percent,p1,ns,30\n"
        "2026-11-01T01:00:00Z,cpu_usage_percent,p1,ns,99"
    )
    return kusto


WORKING = {
    "hourly-cpu-usage": f"""Metrics
{IN_WINDOW}
| where Name == "cpu_usage_percent"
| summarize avg(Value), max(Value), min(Value)
  by bin(Timestamp, 1h), Pod, Namespace""",
    "error-rate-by-environment": f"""Logs
{IN_WINDOW}
| where Environment == "_environment"
| where Region == "_region"
| where Level == "ERROR"
| summarize ErrorCount = count()
  by bin(Timestamp, 15m), Service
| extend Environment = "_environment", Region = "_region\"""",
    "external-data-summary": f"""ExternalMetrics
{IN_WINDOW}
| where Source == "external_api"
| summarize
    request_count = count(),
    avg_response_time = avg(Time),
    error_rate = countif(Status >= 400) * 100.0 / count()
  by bin(Timestamp, 15m), Endpoint""",
    "hourly-avg-metric": f"""SomeMetric
{IN_WINDOW}
| summarize avg(Value) by bin(Timestamp, 1h)""",
    "regional-summary": f"""SomeMetric
{IN_WINDOW}
| summarize avg(Value)""",
}
SCHEMAS = {
    "hourly-cpu-usage": "Timestamp:datetime Pod:string Namespace:string avg_Value:real "
    "max_Value:real min_Value:real",
    "error-rate-by-environment": "Timestamp:datetime Service:string ErrorCount:long "
    "Environment:string Region:string",
    "external-data-summary": "Timestamp:datetime Endpoint:string request_count:long "
    "avg_response_time:real error_rate:real",
    "hourly-avg-metric": "Timestamp:datetime avg_Value:real",
    "regional-summary": "avg_Value:real",
}


@pytest.mark.parametrize("rule", WORKING)
def test_a_rule_that_works_upstream_works_here(telemetry: Kusto, rule: str) -> None:
    command = f".set-or-append async Out with (extend_schema=true) <| {BOUNDS}{WORKING[rule]}"
    assert telemetry.settled(telemetry.submit(command))["State"] == "Completed"
    assert (
        telemetry.mgmt(".show table Out cslschema")[0]["Schema"].split(",") == SCHEMAS[rule].split()
    )


def test_a_window_takes_its_last_tick_and_not_the_next_windows_first(telemetry: Kusto) -> None:
    body = WORKING["hourly-cpu-usage"]
    telemetry.mgmt(f".set-or-append Out with (extend_schema=true) <| {BOUNDS}{body}")
    [row] = telemetry.query("Out")
    assert (row["avg_Value"], row["max_Value"], row["min_Value"]) == (20.0, 30.0, 10.0)
    assert row["Timestamp"].isoformat() == "2026-11-01T00:00:00+00:00"


REFUSED = {
    # Upstream's document has a pipe after the semicolon: no Kusto reads that.
    "service-health-summary": (
        f'let metrics = Metrics\n{IN_WINDOW};\n| where Name in ("http_requests_total")\nmetrics',
        r"Syntax error: .*line:position=7:\d+\]",
    ),
    "importfn": (
        "cluster('https://remotecluster.kusto.windows.net').SomeDatabase.SomeTable",
        r"does not support 'cluster\(\)' at \[line:position=5:0\]",
    ),
}


@pytest.mark.parametrize("rule", REFUSED)
def test_a_rule_that_cannot_run_here_says_why_at_once(telemetry: Kusto, rule: str) -> None:
    body, said = REFUSED[rule]
    with pytest.raises(KustoApiError, match=said):
        telemetry.submit(f".set-or-append async Out with (extend_schema=true) <| {BOUNDS}{body}")
