"""The HTTP face itself: frames, errors, and what is no Kusto request."""

import json
from typing import Any

import httpx
import pytest
from azure.kusto.data import KustoClient

from tests.emulator.client import Kusto


def post(url: str, path: str, body: Any) -> httpx.Response:
    return httpx.post(f"{url}{path}", content=body if isinstance(body, str) else json.dumps(body))


def test_a_v2_reply_has_kustos_frames(kusto: Kusto) -> None:
    frames = post(kusto.url, "/v2/rest/query", {"db": kusto.database, "csl": "print a = 1"}).json()
    assert [frame["FrameType"] for frame in frames] == [
        *("DataSetHeader", "DataTable", "DataTable", "DataTable", "DataSetCompletion")
    ]
    assert [frame["TableKind"] for frame in frames[1:4]] == [
        *("QueryProperties", "PrimaryResult", "QueryCompletionInformation")
    ]
    assert frames[2]["Columns"] == [{"ColumnName": "a", "ColumnType": "long"}]
    assert frames[2]["Rows"] == [[1]]
    assert frames[4]["HasErrors"] is False


def test_a_v1_reply_has_one_table_with_both_type_names(kusto: Kusto) -> None:
    reply = post(kusto.url, "/v1/rest/query", {"db": kusto.database, "csl": "print a = 1"}).json()
    [table] = reply["Tables"]
    assert table["Columns"] == [{"ColumnName": "a", "DataType": "Int64", "ColumnType": "long"}]
    assert table["Rows"] == [[1]]


def test_the_official_client_finds_no_error_in_a_reply(kusto: Kusto) -> None:
    result = kusto.client.execute_query(kusto.database, "print a = 1")
    assert result.errors_count == 0
    assert result.get_exceptions() == []
    assert len(result.primary_results) == 1


def test_a_streaming_query_reads_the_same_rows(kusto: Kusto) -> None:
    text = "range i from 1 to 3 step 1"
    reply = kusto.client.execute_streaming_query(kusto.database, text)
    [rows] = [[row["i"] for row in table] for table in reply.iter_primary_results()]
    assert rows == [1, 2, 3]


def test_with_no_database_named_the_default_one_answers(endpoint: str) -> None:
    with KustoClient(endpoint) as client:
        assert client.execute_query(None, "print a = 1").primary_results[0][0]["a"] == 1


def test_an_error_has_the_shape_that_clients_read(kusto: Kusto) -> None:
    reply = post(kusto.url, "/v2/rest/query", {"db": kusto.database, "csl": "T |\n wherex"})
    assert reply.status_code == 400
    error = reply.json()["error"]
    assert {"code", "message", "@type", "@message", "@context", "@permanent"} <= set(error)
    assert error["@permanent"] is True
    assert error["@context"]["activityId"] == reply.headers["x-ms-activity-id"]
    assert (error["@line"], error["@pos"]) == (1, 2)


def test_an_error_in_an_appended_query_is_placed_in_the_whole_command(kusto: Kusto) -> None:
    text = ".set-or-append async T <| let a=1;\nlet b=2;\nprint a |\n wherex b"
    error = post(kusto.url, "/v1/rest/mgmt", {"db": kusto.database, "csl": text}).json()["error"]
    assert (error["@line"], error["@pos"]) == (3, 8)


def test_an_error_in_a_pipeline_is_placed_in_the_whole_command(kusto: Kusto) -> None:
    text = ".show tables | wherex 1"
    error = post(kusto.url, "/v1/rest/mgmt", {"db": kusto.database, "csl": text}).json()["error"]
    assert error["@pos"] == text.index("|")


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("/v2/rest/query", "{", "The body must be JSON"),
        ("/v2/rest/query", "[]", "The body must be JSON"),
        ("/v2/rest/query", {"db": "Telemetry"}, "missing required field `csl`"),
        ("/v2/rest/query", {"csl": 5}, "The body must be JSON"),
        ("/v2/rest/query", {"csl": "  "}, "'csl' is empty"),
        ("/v2/rest/query", {"csl": "print 1", "properties": "{"}, "The body must be JSON"),
        ("/v2/rest/query", {"csl": ".show tables"}, "goes to /v1/rest/mgmt"),
        ("/v1/rest/mgmt", {"csl": "print 1"}, "goes to /v2/rest/query"),
    ],
)
def test_what_is_no_request_is_a_clear_400(endpoint: str, path: str, body: Any, said: str) -> None:
    reply = post(endpoint, path, body)
    assert reply.status_code == 400
    assert said in reply.json()["error"]["@message"]


def test_other_paths_methods_and_sizes_are_refused(endpoint: str) -> None:
    assert httpx.get(f"{endpoint}/v2/rest/nothing").status_code == 404
    missing = httpx.get(f"{endpoint}/nope").json()["error"]["@message"]
    assert "There is no /nope here" in missing
    refused = httpx.get(f"{endpoint}/v2/rest/query")
    assert refused.status_code == 405
    assert "takes POST, not GET" in refused.json()["error"]["@message"]
    huge = httpx.post(f"{endpoint}/v1/rest/mgmt", content=b"x" * (64 * 2**20 + 1), timeout=30)
    assert huge.status_code == 413


def test_sign_in_metadata_is_there_for_clients_that_ask(endpoint: str) -> None:
    assert "LoginEndpoint" in httpx.get(f"{endpoint}/v1/rest/auth/metadata").json()["AzureAD"]


def test_a_page_of_another_site_may_not_ask(endpoint: str) -> None:
    body = '{"csl": "print 1"}'
    stranger = {"origin": "http://example.com"}
    url = f"{endpoint}/v2/rest/query"
    assert httpx.post(url, content=body, headers=stranger).status_code == 403
    assert httpx.post(url, content=body, headers={"origin": endpoint}).status_code == 200
