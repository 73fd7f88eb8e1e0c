"""The other fields of spec: what is refused, with which message."""

import pytest

from summaryrule import kql
from summaryrule.api.constants import BODY_LIMIT
from summaryrule.api.schema_validation import validate_schema
from tests.admission.stored_backfills import running
from tests.manifests import BODY, admit, rule


@pytest.mark.parametrize("text", ["1m", "15m", "1h30m", "24h", "720h", "60s", "60000ms", "0.5h"])
def test_a_go_duration_of_a_minute_or_more_is_an_interval(text: str) -> None:
    result = admit(rule(interval=text))
    assert result.violations == ()
    assert result.object["spec"]["interval"] == text


@pytest.mark.parametrize(
    "text", ["59s", "0s", "-1h", "1d", "1w", "3 days", "P1M", "PT1H", "1H", "", "60", "1h "]
)
def test_no_other_text_is_an_interval(text: str) -> None:
    result = admit(rule(interval=text))
    assert result.fields == ["spec.interval"]
    assert "must be a Go duration of at least 1m, such as 15m, 1h or 1h30m" in result.messages[0]


def test_a_number_as_interval_is_refused_as_the_server_would() -> None:
    assert admit(rule(interval=3600)).messages == [
        (
            'spec.interval: Invalid value: "integer": spec.interval in body must be of type string:'
            ' "integer"'
        )
    ]


def test_an_interval_between_ticks_is_refused() -> None:
    result = admit(rule(interval="1m50ns"))
    assert result.fields == ["spec.interval"]
    assert "whole number of 100 ns" in result.messages[0]


def test_a_null_stands_for_a_field_that_is_not_there_as_on_the_server() -> None:
    backfill = {"start": "2026-11-20T00:00:00Z", "end": "2026-11-21T00:00:00Z", "maxInFlight": None}
    result = admit(rule(backfill, suspend=None, criteria=None, table=None))
    assert result.messages == ["spec.table: Required value"]


def test_what_the_server_fills_in_or_leaves_out_is_no_change() -> None:
    """A stored backfill without a start stays as it is, whatever a manifest spells out."""
    old = rule({"end": "2026-11-21T00:00:00Z", "maxInFlight": 1, "suspend": False}, suspend=False)
    new = rule({"end": "2026-11-21T00:00:00Z"}, criteria=None, ingestionDelay="5m")
    assert validate_schema(new, old) == ()


def test_a_number_over_a_boolean_is_a_change() -> None:
    found = validate_schema(rule(suspend=0), rule(suspend=False))
    assert [violation.field for violation in found] == ["spec.suspend"]


def test_a_value_is_quoted_as_the_server_quotes_it() -> None:
    result = admit(rule(table='a"b\x13\u0085é\n'))
    assert result.messages[0].startswith(
        'spec.table: Invalid value: "a\\"b\\x13\\u0085é\\n": must be 1 to 1024 ASCII letters'
    )


def test_a_bracketed_name_of_two_lines_is_refused_without_repeating_it() -> None:
    assert admit(rule(table="[a\nb")).messages == [
        (
            'spec.table: Invalid value: "[a\\nb": must be the bare name, without brackets and'
            " quotes: the worker adds them"
        )
    ]


def test_a_text_too_long_is_refused_without_quoting_it() -> None:
    result = admit(rule(interval="1" * 100_000 + "h", table="t" * 100_000))
    assert result.messages == [
        "spec.table: Too long: may not be more than 1024 bytes",
        "spec.interval: Too long: may not be more than 64 bytes",
    ]


@pytest.mark.parametrize("value", ["", None, ...])
def test_no_ingestion_delay_is_0s(value: object) -> None:
    assert admit(rule(ingestionDelay=value)).object["spec"]["ingestionDelay"] == "0s"


@pytest.mark.parametrize("text", ["-1s", "1d", "soon", " "])
def test_a_bad_ingestion_delay_is_refused(text: str) -> None:
    result = admit(rule(ingestionDelay=text))
    assert result.fields == ["spec.ingestionDelay"]
    assert "must be a Go duration of 0s or more" in result.messages[0]


@pytest.mark.parametrize(
    "name", ["T", "a b", "a-b.c_d", "_x", "x_", "0", "and", "true", "T" * 1024]
)
def test_a_plain_name_is_taken(name: str) -> None:
    assert admit(rule(table=name, database=name)).violations == ()


@pytest.mark.parametrize("name", ["", "  ", "__x", "x__", "a'b", "a]b", "é", "a\n", "a;b", "a/b"])
def test_any_other_name_is_refused(name: str) -> None:
    result = admit(rule(table=name, database=name))
    assert result.fields == ["spec.database", "spec.table"]
    assert "ASCII letters, digits, spaces" in result.messages[0]


@pytest.mark.parametrize("name", ["['My Table']", '["My Table"]'])
def test_a_bracketed_name_is_refused_with_its_bare_form(name: str) -> None:
    result = admit(rule(table=name))
    assert result.messages[0].endswith("write My Table")


TRICKS = {
    "blank": "  \n\t",
    "only comments": "// one\n  // two",
    "command": ".drop table T",
    "command after white space": " \n\t.drop table T",
    "command after a comment": "// harmless\n.drop table T",
    "command after a comment and a lone CR": "// harmless\r.drop table T",
    "command after a comment and a line separator": "// harmless\u2028.drop table T",
    "command after a zero-width space": "\u200b.drop table T",
    "command after a byte order mark": "\ufeff.drop table T",
    "command after a word joiner": "\u2060\u2063.drop table T",
    "command after a bidi mark": "\u202e\u2066.drop table T",
    "command after a no-break space": "\u00a0\u3000.drop table T",
    "command after a control character": "\x00\x1f\x85.drop table T",
    "command after semicolons": " ; ;\n.drop table T",
    "command after all of them": "\ufeff ;// x\r\u200b// y\u2029\t.show tables",
}


@pytest.mark.parametrize("body", TRICKS.values(), ids=TRICKS)
def test_a_body_without_a_query_is_refused_whatever_hides_it(body: str) -> None:
    result = admit(rule(body=body))
    assert result.fields == ["spec.body"]
    assert "write" in result.messages[0]
    assert "\n" not in result.messages[0]


@pytest.mark.parametrize("body", ["T // .drop", "let x = 1;\nT", "// why\nT", "print '.x'"])
def test_a_query_is_a_query_with_comments_too(body: str) -> None:
    assert admit(rule(body=body)).violations == ()


def test_a_body_of_a_million_comments_is_read_in_linear_time() -> None:
    body = "//\n" * 1_000_000 + ".drop table T"
    assert kql.first_code(body) == ".drop table T"


def test_a_body_that_ignores_its_bounds_is_warned_of() -> None:
    assert admit(rule(body="T | count")).warnings == (
        (
            "spec.body: does not use _startTime and _endTime, so every window reads the same data;"
            " add: where Timestamp between (_startTime .. _endTime)"
        ),
    )


BOUNDS_IN_A_COMMENT = """\
Metrics
// | where Timestamp between (_startTime .. _endTime)
| where Note != "from _startTime to _endTime"
"""


@pytest.mark.parametrize(
    ("body", "what"),
    [
        (BOUNDS_IN_A_COMMENT, "names _startTime and _endTime only in a comment or a text"),
        ("T | where A > _startTime // .. _endTime", "names _endTime only in a comment or a text"),
        ("T | where A > _startTime // to the end", "does not use _endTime"),
        ("T | where A > _startTimeX and B < _endTime", "names _startTime only in a comment or a"),
    ],
)
def test_bounds_that_no_code_uses_are_warned_of(body: str, what: str) -> None:
    (warning,) = admit(rule(body=body)).warnings
    assert warning.startswith(f"spec.body: {what}")


def test_bounds_in_code_and_in_a_comment_are_in_use() -> None:
    body = BODY + "// _startTime and _endTime are set by the worker"
    assert admit(rule(body=body)).warnings == ()


def test_a_body_that_does_not_fit_beside_its_status_is_refused() -> None:
    fits = "T //" + "x" * (BODY_LIMIT - 4)
    assert admit(rule(body=fits)).violations == ()
    assert admit(rule(body=fits + "x")).messages == [
        f"spec.body: Too long: may not be more than {BODY_LIMIT} bytes"
    ]


def test_an_expression_that_does_not_parse_is_refused_with_its_position() -> None:
    result = admit(rule(criteriaExpression="region in (("))
    assert result.fields == ["spec.criteriaExpression"]
    assert "line 1, column 3" in result.messages[0]


def test_every_violation_is_reported_with_its_field() -> None:
    result = admit(
        rule(
            {"start": "2026-09-01T00:00:00Z", "end": "2026-11-21T00:00:00Z"},
            body=".drop table T",
            criteriaExpression="((",
            interval="1d",
            table="__x",
        )
    )
    assert result.fields == [
        "spec.table",
        "spec.interval",
        "spec.body",
        "spec.criteriaExpression",
        "spec.backfill.start",
    ]


@pytest.mark.parametrize("spec", [None, 5, [], "x"])
def test_a_spec_that_is_no_object_is_refused_and_passed_through(spec: object) -> None:
    result = admit({**rule(), "spec": spec})
    assert result.fields == ["spec"]
    assert result.object["spec"] == spec


def test_missing_fields_are_required() -> None:
    result = admit({**rule(), "spec": {}})
    assert result.messages == [
        f"spec.{name}: Required value" for name in ("database", "table", "body", "interval")
    ]


def test_an_unchanged_bad_value_is_not_held_against_another_edit() -> None:
    old = running()
    old["spec"] |= {"table": "['old']", "body": ".show tables", "interval": "1m50ns"}
    new = {**old, "spec": {**old["spec"], "suspend": True}}
    assert admit(new, old).violations == ()


def test_a_field_taken_out_is_required_on_update_too() -> None:
    old = rule()
    assert admit(rule(table=...), old).messages == ["spec.table: Required value"]


def test_every_warning_is_one_line_and_said_once() -> None:
    result = admit(rule({"start": "2026-11-20T05:30:00+01:00"}, body="T | count"))
    assert len(set(result.warnings)) == len(result.warnings) == 3
    assert all("\n" not in text and len(text) <= 256 for text in result.warnings)
