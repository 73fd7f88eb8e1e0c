"""Bad input: none of it reaches a file, another schema or the engine's SQL, and none stops it."""

import httpx
import pytest
from azure.kusto.data.exceptions import KustoApiError

from tests.emulator.client import Kusto

QUOTES = "\\'\" ); DROP SCHEMA __emulator CASCADE; --"
REFUSED = [
    # files, the network, the engine's own tables and functions
    "read_csv('/etc/passwd')",
    "read_text('/etc/passwd') | take 1",
    "['/etc/passwd'] | take 1",
    "externaldata(line: string)['file:///etc/passwd']",
    "externaldata(line: string)['http://127.0.0.1/x']",
    "external_table('x')",
    "cluster('x').database('y').T",
    "database('__emulator').operations",
    "database('main').duckdb_settings",
    "database('information_schema').tables",
    "duckdb_settings() | take 1",
    "duckdb_tables()",
    "sqlite_master | take 1",
    "pragma_version()",
    "__emulator.extents",
    "['__emulator.extents']",
    '[\'"__emulator"."extents"\']',
    "table('__emulator.extents')",
    "table('x; DROP TABLE y')",
    "union __emulator*",
    "union duckdb_*",
    # statements of SQL
    "SELECT 1",
    "print 1; SELECT 1",
    "print 1; DROP SCHEMA __emulator CASCADE",
    "ATTACH 'x.db'",
    "INSTALL httpfs",
    "LOAD httpfs",
    "COPY (SELECT 1) TO '/tmp/x'",
    "SET lock_configuration = false",
    "PRAGMA database_list",
    "CALL duckdb_settings()",
    "EXPORT DATABASE '/tmp/x'",
    # functions of the engine, which KQL does not have
    "print getenv('HOME')",
    "print current_setting('memory_limit')",
    "print k_json('1')",
    "print __emulator.ticks(1)",
    "print query('SELECT 1')",
    "print load_extension('x')",
    "print read_blob('/etc/passwd')",
    "print getvariable('x')",
    "print nextval('x')",
    "T | evaluate python(typeof(*), 'import os')",
    "T | evaluate sql_request('x', 'SELECT 1')",
    "T | evaluate http_request('http://127.0.0.1')",
    # names and literals that would close a quote
    "print ['a\"b'] | project ['a\"; DROP TABLE x; --']",
    "T | where x == 'a' or 1=1 --",
    "print x = 'a' || 'b'",
    "print '\\q'",
    "print 'unfinished",
    'print "unfinished',
    "print ```unfinished",
    "print datetime(2026-01-01'); DROP TABLE x; --)",
    "print guid('); DROP TABLE x; --)",
    "print long(1); DROP TABLE x)",
    'print dynamic({"a": DROP TABLE x})',
    "print dynamic([1, 2)",
    "datatable(a: long)['x'); DROP TABLE y; --]",
    # depth and size
    "print " + "(" * 5000 + "1" + ")" * 5000,
    "print " + "-" * 5000 + "1",
    "print " + "not(" * 3000 + "true" + ")" * 3000,
    "print dynamic(" + "[" * 5000 + "]" * 5000 + ")",
    "let f = (x: long) { f(x) }; print f(1)",
    "let f = () { g() }; let g = () { f() }; print f()",
    "T" + " | where x > 1" * 3000,
    "print strrep('x', 1000000000000)",
    "range i from 1 to 100000000000 step 1 | summarize make_list(i)",
    "\x00",
    "print \x00",
    "print 1 | | take 1",
    "|",
    ";",
    "{}",
    "🙂",
]
ANSWERED = [
    f"print x = '{QUOTES.replace(chr(92), chr(92) * 2).replace(chr(39), chr(92) + chr(39))}'",
    f"print x = @'{QUOTES.replace(chr(39), chr(39) * 2)}'",
    "print ['a; DROP TABLE x; --'] = 1",
    "print ['\"'] = 1, [\"'\"] = 2",
    "print x = 1 // ; DROP SCHEMA __emulator CASCADE",
    "datatable(['select']: long, ['from']: string)[1, 'where'] | where ['select'] == 1",
    "print x = 'a\\u0000b' | extend n = strlen(x)",
    'print d = dynamic({"a\'b\\"c": 1}) | extend v = d["a\'b\\"c"]',
    'let x = "it\'s"; print x',
    "print 1 " + "| extend a = 1 " * 60,
]


@pytest.mark.parametrize("text", REFUSED, ids=range(len(REFUSED)))
def test_an_attack_is_refused_and_the_endpoint_goes_on(kusto: Kusto, text: str) -> None:
    kusto.mgmt(".create table T (x: long)")
    with pytest.raises(KustoApiError) as raised:
        kusto.query(text)
    assert "Traceback" not in str(raised.value)
    assert "DuckDB" not in str(raised.value)
    assert kusto.count("T") == 0


@pytest.mark.parametrize("text", ANSWERED, ids=range(len(ANSWERED)))
def test_odd_text_is_a_value_and_no_more(kusto: Kusto, text: str) -> None:
    assert len(kusto.query(text)) == 1
    assert kusto.mgmt(".show operations | count") != []


@pytest.mark.parametrize(
    "command",
    [
        ".create table ['a\"; DROP SCHEMA x; --'] (a: long)",
        ".create table T (['x\"y']: long, ['\"); DROP TABLE T; --']: long)",
        ".create database ['a\"; DROP SCHEMA __emulator; --']",
        ".drop database __emulator",
        ".set-or-append T <| print 1; DROP TABLE T",
        ".set-or-append ['__emulator.extents'] <| print 1",
        ".ingest inline into table Nope <| 1); DROP TABLE T; --",
        ".ingest inline into table T ('x') <| 1",
        ".ingest into table T 'file:///etc/passwd'",
        ".export to csv ('/tmp/x') <| print 1",
        ".execute database script <| .drop table T",
        ".show table ['x'' OR 1=1 --'] extents",
        ".show operations (1) OR 1=1",
        ".create-or-alter function F () { T }; .drop table T",
        ".create function F (x: long = (1)) { x } }",
        ".drop extents <| print ExtentId = '); DROP TABLE x'",
        "." + "x" * 100_000,
        ".",
    ],
)
def test_a_command_that_attacks_is_refused(kusto: Kusto, command: str) -> None:
    kusto.mgmt(".create table T (a: long)")
    with pytest.raises(KustoApiError):
        kusto.mgmt(command)
    assert kusto.count("T") == 0


def test_a_query_of_a_hundred_megabytes_is_refused(endpoint: str) -> None:
    body = b'{"csl":"print \'' + b"x" * (100 * 2**20) + b"'\"}"
    assert httpx.post(f"{endpoint}/v2/rest/query", content=body, timeout=60).status_code == 413
    assert httpx.get(f"{endpoint}/healthz").status_code == 200


def test_a_union_of_many_tables_is_answered_or_refused(kusto: Kusto) -> None:
    sides = ", ".join("(print a = 1)" for _ in range(2000))
    assert kusto.query(f"union {sides} | count") == [{"Count": 2000}]
