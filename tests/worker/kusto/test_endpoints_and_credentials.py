"""What `--kusto-endpoint` takes, and which credential the environment leads to."""

import pytest

from runtime.errors import Refused
from worker.kusto.config import (
    InvalidEndpointError,
    choose_kind,
    create_credential,
    parse_endpoints,
    require_trusted,
)


def test_an_endpoint_is_read_by_database() -> None:
    options = ["Telemetry=https://help.kusto.windows.net/", "Logs=http://127.0.0.1:8080"]
    assert parse_endpoints(options) == {
        "Telemetry": "https://help.kusto.windows.net",
        "Logs": "http://127.0.0.1:8080",
    }


@pytest.mark.parametrize(
    ("option", "says"),
    [
        ("https://help.kusto.windows.net", "must read DB=URL"),
        ("=https://help.kusto.windows.net", "must read DB=URL"),
        ("T=help.kusto.windows.net", "needs an https:// URL"),
        ("T=ftp://help.kusto.windows.net", "needs an https:// URL"),
        ("T=https://", "needs an https:// URL"),
        ("T=https://help:port", "--kusto-endpoint"),
        ("T=http://kusto.example.com", "plain http to another machine"),
        ("T=http://127.0.0.1.example.com", "plain http to another machine"),
        ("T=https://help.kusto.windows.net;Password=hunter2", "not a connection string"),
        ("T=https://help.kusto.windows.net?sig=hunter2", "not a connection string"),
        (
            "T=https://ingest-help.kusto.windows.net",
            "runs no queries; write the query endpoint, T=https://help.kusto.windows.net",
        ),
        ("T=https://user:hunter2@help.kusto.windows.net", "must not carry a user"),
    ],
)
def test_what_is_no_endpoint_is_refused_in_words(option: str, says: str) -> None:
    with pytest.raises(InvalidEndpointError) as error:
        parse_endpoints([option])
    assert says in str(error.value)
    assert "hunter2" not in str(error.value)


def test_a_database_twice_is_refused() -> None:
    with pytest.raises(InvalidEndpointError, match="twice"):
        parse_endpoints(["T=https://a.kusto.windows.net", "T=https://b.kusto.windows.net"])


def test_plain_http_elsewhere_needs_the_flag() -> None:
    options = ["T=http://kusto.svc:8080"]
    assert parse_endpoints(options, allow_plain_http=True) == {"T": "http://kusto.svc:8080"}


@pytest.mark.parametrize(
    ("environ", "kind"),
    [
        ({"AZURE_FEDERATED_TOKEN_FILE": "f", "AZURE_CLIENT_SECRET": "s"}, "workload-identity"),
        ({"AZURE_CLIENT_SECRET": "s", "AZURE_CLIENT_ID": "i"}, "client-secret"),
        ({"IDENTITY_ENDPOINT": "e"}, "managed-identity"),
        ({}, "az-login"),
    ],
)
def test_auto_takes_what_the_environment_speaks_of(environ: dict[str, str], kind: str) -> None:
    assert choose_kind("auto", environ) == kind


@pytest.mark.parametrize("kind", ["workload-identity", "client-secret"])
def test_a_credential_that_lacks_its_variables_names_them_and_no_value(kind: str) -> None:
    with pytest.raises(Refused, match="AZURE_TENANT_ID") as error:
        create_credential(kind, {"AZURE_CLIENT_ID": "hunter2"})
    assert "hunter2" not in str(error.value)


async def test_each_kind_of_credential_can_be_made_and_closed() -> None:
    environ = {
        "AZURE_TENANT_ID": "11111111-2222-4333-8444-555555555555",
        "AZURE_CLIENT_ID": "11111111-2222-4333-8444-555555555555",
        "AZURE_CLIENT_SECRET": "s",
        "AZURE_FEDERATED_TOKEN_FILE": "/nowhere",
    }
    for kind in ("workload-identity", "managed-identity", "client-secret", "az-login"):
        await create_credential(kind, environ).close()


def test_a_token_goes_to_kusto_only() -> None:
    require_trusted("https://help.kusto.windows.net", {})
    require_trusted("http://127.0.0.1:8080", {})
    government = {"AZURE_AUTHORITY_HOST": "login.microsoftonline.us"}
    require_trusted("https://x.kusto.usgovcloudapi.net", government)
    for url, environ in (
        ("https://evil.example.com", {}),
        ("https://x.kusto.windows.net", government),
    ):
        with pytest.raises(Refused, match="no Kusto endpoint that a token"):
            require_trusted(url, environ)
