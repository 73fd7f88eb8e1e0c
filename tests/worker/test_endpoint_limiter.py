"""One endpoint's rules never take all looks, and those that wait have their turn."""

from worker.endpoint_limiter import EndpointLimiter, slots_per_endpoint
from worker.kube.store import Key

A, B = "https://a", "https://b"


def rule(number: int) -> Key:
    return ("n", f"r{number}")


def test_an_endpoint_that_is_alone_may_take_all_looks_and_one_of_several_half() -> None:
    assert slots_per_endpoint(8, {"D": A, "E": A}) == 8
    assert slots_per_endpoint(8, {"D": A, "E": B}) == 4
    assert slots_per_endpoint(1, {"D": A, "E": B}) == 1


def test_a_rule_without_a_berth_waits_until_one_is_free() -> None:
    called: list[Key] = []
    limiter = EndpointLimiter(1, called.append)
    with limiter.slot(A, rule(1)) as first:
        with limiter.slot(A, rule(2)) as second, limiter.slot(A, rule(2)) as again:
            assert (first, second, again) == (True, False, False)
        assert called == []
    assert called == [rule(2)]


def test_other_endpoints_and_writes_to_the_api_server_go_on_meanwhile() -> None:
    limiter = EndpointLimiter(1, lambda _key: None)
    with (
        limiter.slot(A, rule(1)),
        limiter.slot(B, rule(2)) as other,
        limiter.slot(None, rule(3)) as none,
    ):
        assert (other, none) == (True, True)


def test_waiting_rules_have_their_places_in_the_line_of_their_endpoint() -> None:
    limiter = EndpointLimiter(1, lambda _key: None)
    with limiter.slot(A, rule(1)), limiter.slot(B, rule(2)):
        for endpoint, number in ((A, 3), (A, 4), (B, 5)):
            with limiter.slot(endpoint, rule(number)):
                pass
        assert limiter.places() == {rule(3): 0, rule(4): 1, rule(5): 0}
        assert limiter.usage() == {
            A: {"taken": 1, "limit": 1, "waiting": 2},
            B: {"taken": 1, "limit": 1, "waiting": 1},
        }


def test_waiting_rules_are_called_one_by_one_in_the_order_they_came() -> None:
    called: list[Key] = []
    limiter = EndpointLimiter(1, called.append)
    with limiter.slot(A, rule(1)):
        for number in (2, 3):
            with limiter.slot(A, rule(number)):
                pass
    assert called == [rule(2)]
    with limiter.slot(A, rule(2)) as has_berth:
        assert has_berth
    assert called == [rule(2), rule(3)]
