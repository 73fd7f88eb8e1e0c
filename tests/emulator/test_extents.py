"""Drop-by tags, merges and dropped extents, as a recompute uses them."""

import pytest
from azure.kusto.data.exceptions import KustoApiError

from tests.emulator.client import Kusto

TAGS = "with (tags='[{0}]')"


def append(kusto: Kusto, value: int, *tags: str) -> str:
    listed = ", ".join(f'"{tag}"' for tag in tags)
    [row] = kusto.mgmt(f".set-or-append T with (tags='[{listed}]') <| print v = {value}")
    return str(row["ExtentId"])


def values(kusto: Kusto) -> list[int]:
    return sorted(row["v"] for row in kusto.query("T"))


def tags(kusto: Kusto) -> list[set[str]]:
    rows = kusto.mgmt(".show table T extents | sort by MaxCreatedOn asc | project Tags")
    return [set(row["Tags"].split("\r\n")) - {""} for row in rows]


def test_dropping_extents_by_id_drops_their_rows_alone(kusto: Kusto) -> None:
    first, second = append(kusto, 1, "drop-by:a"), append(kusto, 2, "drop-by:b")
    [dropped] = kusto.mgmt(f".drop extents ({first}) from T")
    assert (str(dropped["ExtentId"]), dropped["TableName"]) == (first, "T")
    assert values(kusto) == [2]
    kusto.mgmt(f".drop extent {second} from T")
    assert values(kusto) == []
    with pytest.raises(KustoApiError, match="of kind 'Extent' was not found"):
        kusto.mgmt(f".drop extent {second} from T")


def test_dropping_by_a_drop_by_tag_is_what_a_recompute_does(kusto: Kusto) -> None:
    append(kusto, 1, "drop-by:w1", "ingest-by:x")
    append(kusto, 2, "drop-by:w2")
    kusto.mgmt(".drop extents whatif <| .show table T extents where tags has 'drop-by:w1'")
    assert values(kusto) == [1, 2]
    kusto.mgmt(".drop extents <| .show table T extents where tags has 'drop-by:w1'")
    assert values(kusto) == [2]


def test_dropping_by_age_and_number(kusto: Kusto) -> None:
    old = "with (creationTime='2020-01-01T00:00:00Z')"
    kusto.mgmt(f".set-or-append T {old} <| print v = 1")
    append(kusto, 2)
    append(kusto, 3)
    kusto.mgmt(".drop extents older 10 days from T")
    assert values(kusto) == [2, 3]
    assert len(kusto.mgmt(".drop extents from all tables limit 1")) == 1
    kusto.mgmt(".drop extents from T")
    assert values(kusto) == []


def test_extents_merge_and_keep_all_tags(kusto: Kusto) -> None:
    first, second = append(kusto, 1, "ingest-by:a"), append(kusto, 2, "ingest-by:b")
    merged = kusto.mgmt(f".merge T ({first}, {second})")
    assert len({row["ResultExtentId"] for row in merged}) == 1
    assert tags(kusto) == [{"ingest-by:a", "ingest-by:b"}]
    assert values(kusto) == [1, 2]
    held = ".set-or-append T with (ingestIfNotExists='[\"b\"]') <| print v = 9"
    assert kusto.mgmt(held) == []


def test_extents_of_different_drop_by_tags_never_merge(kusto: Kusto) -> None:
    first, second = append(kusto, 1, "drop-by:a"), append(kusto, 2, "drop-by:b")
    with pytest.raises(KustoApiError, match="drop-by tags differ"):
        kusto.mgmt(f".merge T ({first}, {second})")


def test_the_fault_merges_whatever_may_be_merged(kusto: Kusto) -> None:
    kusto.faults({"fault": "merge-extents"})
    for number, tag in enumerate(("drop-by:a", "drop-by:a", "drop-by:b", "ingest-by:x")):
        append(kusto, number, tag)
    append(kusto, 9, "ingest-by:y")
    assert sorted(map(sorted, tags(kusto))) == [
        ["drop-by:a"],
        ["drop-by:b"],
        ["ingest-by:x", "ingest-by:y"],
    ]
    kusto.mgmt(".drop extents <| .show table T extents where tags has 'drop-by:a'")
    assert values(kusto) == [2, 3, 9]


def test_tags_are_dropped_and_altered(kusto: Kusto) -> None:
    append(kusto, 1, "drop-by:a", "ingest-by:x")
    kusto.mgmt(".drop table T extent tags ('drop-by:a')")
    assert tags(kusto) == [{"ingest-by:x"}]
    kusto.mgmt(".alter-merge table T extent tags ('drop-by:c') <| .show table T extents")
    assert tags(kusto) == [{"ingest-by:x", "drop-by:c"}]
    kusto.mgmt(".alter table T extent tags ('only') <| .show table T extents")
    assert tags(kusto) == [{"only"}]


ONE_TAG_A_ROW = "extend Tags = split(Tags, '\\r\\n') | mv-expand Tags to typeof(string)"


def test_a_query_names_the_tags_to_drop_of_each_extent(kusto: Kusto) -> None:
    append(kusto, 1, "drop-by:a", "drop-by:b", "ingest-by:x")
    append(kusto, 2, "drop-by:a")
    changed = kusto.mgmt(
        f".drop table T extent tags <| .show table T extents | {ONE_TAG_A_ROW} "
        "| where Tags startswith 'drop-by:' and RowCount == 1"
    )
    assert sorted(row["ResultExtentTags"] for row in changed) == ["", "ingest-by:x"]
    assert sorted(map(len, tags(kusto))) == [0, 1]
    append(kusto, 3, "a", "b")
    with pytest.raises(KustoApiError, match="one tag a row"):
        kusto.mgmt(".drop table T extent tags <| .show table T extents where tags has 'a'")


def test_a_change_of_tags_makes_a_new_extent_with_the_same_rows(kusto: Kusto) -> None:
    first = append(kusto, 1, "drop-by:a")
    [changed] = kusto.mgmt(".alter-merge table T extent tags ('b') <| .show table T extents")
    assert (str(changed["OriginalExtentId"]), changed["Details"]) == (first, "")
    assert changed["ResultExtentTags"] == "drop-by:a\r\nb"
    [shown] = kusto.mgmt(".show table T extents")
    assert shown["ExtentId"] == changed["ResultExtentId"] != changed["OriginalExtentId"]
    kusto.mgmt(f".drop extents ({shown['ExtentId']}) from T")
    assert values(kusto) == []


def test_the_creation_time_limits_which_tags_are_changed(kusto: Kusto) -> None:
    for day in (1, 2, 3):
        given = f"creationTime='2020-01-0{day}T00:00:00Z', tags='[\"a\"]'"
        kusto.mgmt(f".set-or-append T with ({given}) <| print v = {day}")
    of_day = "with (extentCreatedOnFrom=datetime(2020-01-0{0}), extentCreatedOnTo='2020-01-0{0}')"
    assert len(kusto.mgmt(f".drop table T extent tags ('a') {of_day.format(2)}")) == 1
    assert tags(kusto) == [{"a"}, set(), {"a"}]
    show = ".show table T extents"
    kusto.mgmt(f".alter table T extent tags ('b') {of_day.format(3)} <| {show}")
    assert tags(kusto) == [{"a"}, set(), {"b"}]
    kusto.mgmt(f".drop table T extent tags {of_day.format(1)} <| {show} | where Tags != ''")
    assert tags(kusto) == [set(), set(), {"b"}]


def test_an_async_change_of_tags_is_an_operation(kusto: Kusto) -> None:
    append(kusto, 1, "drop-by:a")
    operation = kusto.submit(".drop async table T extent tags ('drop-by:a')")
    assert kusto.settled(operation)["State"] == "Completed"
    assert tags(kusto) == [set()]


def test_tag_filters_are_equality_and_parts_and_all_must_hold(kusto: Kusto) -> None:
    append(kusto, 1, "aaa", "BBB", "ccc")
    for where, number in (
        ("tags has 'aaa' and tags contains 'bb'", 1),
        ("tags has 'aa' and tags contains 'bb'", 0),
        ("tags contains 'aa' and tags contains 'bb'", 1),
        ("tags !has 'aaa'", 0),
        ("tags !has 'aa' and tags !contains 'x'", 1),
        ("tags !contains 'B'", 0),
    ):
        assert len(kusto.mgmt(f".show table T extents where {where}")) == number, where


def test_a_query_reads_the_extent_of_each_row(kusto: Kusto) -> None:
    first, second = append(kusto, 1, "drop-by:a", "ingest-by:x"), append(kusto, 2)
    rows = kusto.query("T | sort by v asc | project v, Id = extent_id(), Tags = extent_tags()")
    assert [(row["v"], str(row["Id"]), row["Tags"]) for row in rows] == [
        (1, first, ["drop-by:a", "ingest-by:x"]),
        (2, second, []),
    ]
    assert kusto.query("T | where extent_tags() has 'drop-by:a' | summarize by v") == [{"v": 1}]
    kusto.mgmt(".drop extents <| T | where v == 2 | summarize by ExtentId = extent_id()")
    assert values(kusto) == [1]
    with pytest.raises(KustoApiError, match="rows that no table holds"):
        kusto.query("print extent_id()")


def test_dropping_from_named_tables_and_pretending(kusto: Kusto) -> None:
    append(kusto, 1)
    kusto.mgmt(".set-or-append U <| print v = 2")
    assert len(kusto.mgmt(".drop-pretend extents from all tables")) == 2
    kusto.mgmt(".drop extents older 1 hours from tables (T, U)")
    assert values(kusto) == [1]
    kusto.mgmt(".drop extents from tables (T)")
    assert (values(kusto), kusto.count("U")) == ([], 1)


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (".drop extents", "expected 'from', '\\(' or '<\\|'"),
        (".drop extents (x) from T", "expected an extent id"),
        (".drop extents older x days from T", "expected a number of days or hours"),
        (".drop extents <| print a = 1", "must give a column ExtentId"),
        (".drop table T extent tags <| print ExtentId = 1", "must give a column Tags"),
        (".drop table T extent tags ('a') with (x=1)", "does not support the property 'x'"),
        (".alter table T extent tags ('a')", "expected '<\\|'"),
        (".drop extents <| .show tables", "give it '.show table … extents'"),
        (".drop extents from Nope", "'Nope' of kind 'Table' was not found"),
        (".drop extents from T trim by extentsize 1 GB", "does not support 'trim by'"),
    ],
)
def test_a_bad_command_is_one_sentence(kusto: Kusto, command: str, said: str) -> None:
    append(kusto, 1)
    with pytest.raises(KustoApiError, match=said):
        kusto.mgmt(command)


def test_ingestion_time_is_the_time_of_the_append(kusto: Kusto) -> None:
    append(kusto, 1)
    assert kusto.query("T | where ingestion_time() between (ago(5m) .. now()) | count") == [
        {"Count": 1}
    ]
