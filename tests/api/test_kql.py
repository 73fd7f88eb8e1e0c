"""Which tables a query reads."""

from time import process_time

import pytest

from summaryrule.kql import reads_table


@pytest.mark.parametrize(
    "body",
    [
        "Raw | count",
        "  // the source\n\nRaw\n| where true",
        "Raw",
        "let recent = Raw | where true; recent | count",
        "let a = 1; Raw | where x > a",
        "let f = () { Raw | count }; f()",
        "union Other, Raw | count",
        "union kind=outer withsource=Source Raw, Other",
        "union (Raw | take 1), Other",
        "Other | join kind=inner Raw on Key",
        "Other | join hint.strategy=broadcast kind=leftouter (Raw | project Key) on Key",
        "Other | lookup Raw on Key",
        "Other | where Key in ((Raw | distinct Key))",
        "print x = toscalar(Raw | count)",
        'table("Raw") | count',
        "table('Raw') | count",
    ],
)
def test_a_table_is_found_wherever_a_query_reads_one(body: str) -> None:
    assert reads_table(body, "Raw")


@pytest.mark.parametrize(
    "body",
    [
        "Other | count",
        "RawHourly | count",
        "raw | count",
        "// Raw | count\nOther | count",
        'Other | where Text == "Raw | count"',
        "Other | where Text == @'Raw' | count",
        "Other | where Raw > 5",
        "Other | summarize Raw = count()",
        "Other | summarize Raw = count() by Key | where Raw > 1 | project Raw",
        "Other | summarize sum(Raw)",
        "Other | join Third on Raw",
        "Other | extend x = Raw | count",
        'database("Archive").Raw | count',
        "database('Archive').table('Raw') | count",
        "union withsource=Raw Other, Third",
        "Raw.Column",
        "",
    ],
)
def test_a_column_a_text_or_another_table_is_not_the_table(body: str) -> None:
    assert not reads_table(body, "Raw")


@pytest.mark.parametrize(
    "piece", ["union ", "Raw ", '"', "@'", "// Raw\n", "join kind=inner ", "\\"]
)
def test_the_time_is_linear_whatever_the_text(piece: str) -> None:
    body = piece * (400_000 // len(piece)) + " x Raw"
    started = process_time()
    reads_table(body, "Raw")
    assert process_time() - started < 2
