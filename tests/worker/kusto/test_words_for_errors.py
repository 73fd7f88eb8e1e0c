"""Error texts become one sentence for a person, and no secret gets through."""

import pytest

from runtime.logging import redact
from worker.kusto.errors import LONGEST, code_in, format_error, position_in, with_code

JWT = "eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJodHRwczovL2t1c3RvIn0.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    "secret",
    [
        f"Authorization: Bearer {JWT}",
        f"token was {JWT}.",
        "https://x.blob.core.windows.net/c?sv=2020&sig=abc%2Fdef123",
        "Data Source=https://x;Application Key=hunter2;Authority Id=t",
        "AccountKey=abcdef==;EndpointSuffix=core.windows.net",
        "client_secret: s3cr3t-value",
        "password = hunter2",
    ],
)
def test_what_looks_like_a_secret_is_removed(secret: str) -> None:
    clean = redact(secret)
    for part in (JWT, "abc%2Fdef123", "hunter2", "abcdef==", "s3cr3t-value"):
        assert part not in clean
    assert "***" in clean


def test_a_plain_sentence_is_left_as_it_is() -> None:
    text = "'summarize' operator: Failed to resolve column named 'Passwords' in 'T'"
    assert format_error(text) == text


def test_lines_are_joined_and_noise_is_dropped() -> None:
    text = "Request is invalid and cannot be executed.\n  Syntax error:\tx (clientRequestId=KPC;1)"
    assert format_error(text) == "Syntax error: x"


def test_a_long_text_is_cut_and_says_so() -> None:
    cut = format_error("word " * 500)
    assert len(cut) <= LONGEST
    assert cut.endswith("…")


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("… [line:position=3:12]", (3, 12)),
        ("Syntax error on line [2,7]: …", (2, 7)),
        ("Token: x\nLine: 4, Position: 9", (4, 9)),
        ("no position", None),
    ],
)
def test_the_position_is_found_in_each_of_kustos_spellings(
    text: str, position: tuple[int, int] | None
) -> None:
    assert position_in(text) == position


def test_the_code_stands_in_front_once() -> None:
    assert with_code("SEM0100", "SEM0100: no column") == "SEM0100: no column"
    assert with_code("BadRequest", "no column") == "BadRequest: no column"
    assert code_in("Semantic error: SEM0100: x") == "SEM0100"
