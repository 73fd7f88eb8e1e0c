"""The wire: what is read, what is refused before it is judged, what is written."""

import json
import unicodedata
from base64 import b64decode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.webhook.reviews import UID, as_go_writes, review, rule
from webhook.admission_review import AdmissionResponse, decode, encode, format_warnings
from webhook.errors import RefusedRequestError
from webhook.json_patch import Operation

WELL_MADE = as_go_writes(review(rule()))
HOSTILE = {
    "nothing": b"",
    "white space": b" \n",
    "truncated": WELL_MADE[:-40],
    "two documents": WELL_MADE + WELL_MADE,
    "not UTF-8": WELL_MADE.replace(b"telemetry", b"telem\xff\xfetry"),
    "UTF-16": WELL_MADE.decode().encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf" + WELL_MADE,
    "a lone surrogate": WELL_MADE.replace(b"telemetry", rb"\ud800"),
    "a control character": WELL_MADE.replace(b"telemetry", b"tele\x00metry"),
    "deep lists": b"[" * 200_000,
    "deep objects": b'{"request":' * 200_000,
    "deep and closed": b'{"kind":' + b"[" * 50_000 + b"]" * 50_000 + b"}",
    "a huge whole number": WELL_MADE.replace(b"false", b"9" * 100_000),
    "a huge exponent": WELL_MADE.replace(b"false", b"1e999999"),
    "NaN": WELL_MADE.replace(b"false", b"NaN"),
    "a key twice": WELL_MADE.replace(b'"uid":', b'"uid":"x","uid":'),
    "a key twice, deep down": WELL_MADE.replace(b'"table":', b'"table":"x","table":'),
    "a key twice, once escaped": WELL_MADE.replace(b'"uid":', rb'"\u0075id":"x","uid":'),
    "a list": b"[]",
    "a text": b'"AdmissionReview"',
    "null": b"null",
    "another kind": as_go_writes({**review(rule()), "kind": "Pod"}),
    "no request": as_go_writes({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"}),
    "a response": as_go_writes({"kind": "AdmissionReview", "response": {"uid": "x"}}),
    "a number as uid": as_go_writes(review(rule(), uid=7)),
    "a text as object": as_go_writes(review("rule")),
    "a list as old object": as_go_writes(review(rule(), [rule()])),
    "no user": as_go_writes(review(rule(), userInfo=None)),
    "a number as version": as_go_writes({**review(rule()), "apiVersion": 1}),
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_body_that_is_no_review_is_refused_as_a_bad_request(body: bytes) -> None:
    with pytest.raises(RefusedRequestError) as refusal:
        decode(body)
    assert refusal.value.status == 400
    assert "\n" not in str(refusal.value)


def test_a_repeated_key_is_named() -> None:
    with pytest.raises(RefusedRequestError, match="the key 'table' twice"):
        decode(HOSTILE["a key twice, deep down"])


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    with pytest.raises(RefusedRequestError):
        decode(body)


def test_another_spelling_of_the_same_json_is_read_alike() -> None:
    request = decode(WELL_MADE)
    assert decode(json.dumps(review(rule()), indent=2).encode()) == request
    assert decode(b"  " + WELL_MADE + b"\n\n") == request
    assert request.object == rule()
    assert (request.operation, request.user, request.old) == ("CREATE", "alice@example.com", None)


def test_the_answer_carries_uid_version_and_only_what_there_is_to_say() -> None:
    request = decode(WELL_MADE)
    assert json.loads(encode(request, AdmissionResponse(allowed=True, decision="allowed"))) == {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "response": {"uid": UID, "allowed": True},
    }


def test_a_patch_is_base64_of_a_json_patch() -> None:
    answer = AdmissionResponse(allowed=True, decision="patched", patch=(Operation("add", "/a", 1),))
    response = json.loads(encode(decode(WELL_MADE), answer))["response"]
    assert response["patchType"] == "JSONPatch"
    assert json.loads(b64decode(response["patch"])) == [{"op": "add", "path": "/a", "value": 1}]


TEXTS = st.text(st.characters(), max_size=400) | st.text("ab\n\t\x85 ", max_size=600)


@given(st.lists(TEXTS, max_size=60))
def test_warnings_are_single_lines_short_distinct_and_within_the_servers_limit(
    texts: list[str],
) -> None:
    lines = format_warnings(texts)
    assert len(set(lines)) == len(lines)
    assert sum(map(len, lines)) <= 4096
    for line in lines:
        assert 0 < len(line) <= 256
        assert line.encode()
        assert not any(unicodedata.category(character) == "Cc" for character in line)


def test_a_long_warning_ends_in_an_ellipsis() -> None:
    (line,) = format_warnings(["x" * 257])
    assert line == "x" * 255 + "…"


def test_what_does_not_fit_is_said() -> None:
    lines = format_warnings([f"{number} {'x' * 250}" for number in range(40)])
    assert lines[-1] == "more warnings were left out"
    assert len(lines) == 17


def test_order_is_kept_and_white_space_becomes_one_space() -> None:
    assert format_warnings(["b\n\tc", "", "a", "b c"]) == ("b c", "a")
