"""A warning reaches the user only if the API server can put it into a header."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from webhook.warning import sanitised

TEXTS = st.text(st.characters(), max_size=400) | st.text("ab\n\t\x85 ", max_size=600)


@given(st.lists(TEXTS, max_size=60))
def test_warnings_are_single_lines_short_distinct_and_within_the_servers_limit(
    texts: list[str],
) -> None:
    lines = sanitised(texts)
    assert len(set(lines)) == len(lines)
    assert sum(map(len, lines)) <= 4096
    for line in lines:
        assert 0 < len(line) <= 256
        assert line.encode()
        assert not any(unicodedata.category(character) == "Cc" for character in line)


def test_a_long_warning_ends_in_an_ellipsis() -> None:
    (line,) = sanitised(["x" * 257])
    assert line == "x" * 255 + "…"


def test_what_does_not_fit_is_said() -> None:
    lines = sanitised([f"{number} {'x' * 250}" for number in range(40)])
    assert lines[-1] == "more warnings were left out"
    assert len(lines) == 17


def test_order_is_kept_and_white_space_becomes_one_space() -> None:
    assert sanitised(["b\n\tc", "", "a", "b c"]) == ("b c", "a")
