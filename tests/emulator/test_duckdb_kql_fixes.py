"""Each fix of `emulator.duckdb_kql_fixes`: the library alone still has the fault.

When one of these tests fails, the library has been repaired, and the fix of that name can go.
"""

from importlib.metadata import version

import duckdb
import duckdb_kql
import pytest

from emulator.duckdb_kql_fixes import FIXES


def run_alone(text: str) -> object:
    """The first value of `text`, by duckdb-kql without any fix."""
    connection = duckdb.connect(":memory:")
    row = connection.execute(str(duckdb_kql.to_sql(text))).fetchone()
    return None if row is None else row[0]


STILL_WRONG = {
    "with_exact_bounds": (
        "print t=datetime(2026-11-01) | where t >= datetime(2026-11-01T00:00:00.0000001Z) | count",
        0,
    ),
    "install_bin_on_kusto_grid": ("print tostring(dayofweek(bin(datetime(2026-11-05), 7d)))", "1."),
    "with_streamed_ranges": ("range i from 1 to 3 step 1 | count", None),
    "blank_hidden_string_prefixes": ("print h'secret'", "secret"),
    "refuse_unsound": ("range i from 1 to 5 step 1 | summarize array_length(make_list(i, 3))", 3),
}


@pytest.mark.parametrize("fix", FIXES)
def test_the_library_alone_still_has_the_fault(fix: str) -> None:
    if version("duckdb-kql") != FIXES[fix]:
        pytest.skip("another version of duckdb-kql: check whether the fix is still needed")
    text, right = STILL_WRONG[fix]
    if fix == "with_streamed_ranges":
        assert "generate_series" not in str(duckdb_kql.to_sql(text)).split("FROM")[1][:30]
        return
    assert run_alone(text) != right
