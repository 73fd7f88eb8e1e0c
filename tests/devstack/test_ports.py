"""Which hosts are kept away from a proxy."""

from devstack.ports import no_proxy_variables

HOSTS = "127.0.0.1,localhost,::1"


def test_without_a_proxy_nothing_is_set() -> None:
    assert no_proxy_variables({"NO_PROXY": "example.org", "HTTP_PROXY": ""}) == {}


def test_what_is_excluded_already_stays_excluded() -> None:
    for given in ({"NO_PROXY": "example.org"}, {"no_proxy": "example.org", "NO_PROXY": "other"}):
        found = no_proxy_variables({"https_proxy": "http://proxy:3128", **given})
        assert found == dict.fromkeys(("NO_PROXY", "no_proxy"), f"example.org,{HOSTS}")
    assert no_proxy_variables({"HTTPS_PROXY": "http://proxy:3128", "NO_PROXY": "*"}) == {}
