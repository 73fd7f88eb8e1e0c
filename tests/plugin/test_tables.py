"""Tables on terminals of any width: what does not fit is cut or named."""

import pytest

from plugin.tables import table

HEAD = ("NAME", "STATE", "START", "MESSAGE")
ROWS = [("cpu", "done", "2026-11-24T10:00:00Z", "a long message of thirty letters")]


def drawn(width: int | None, *less_needed: str) -> list[str]:
    return list(table(HEAD, ROWS, width=width, less_needed=less_needed))


@pytest.mark.parametrize("width", [None, 200])
def test_a_table_that_fits_is_whole(width: int | None) -> None:
    assert drawn(width) == [
        "NAME   STATE   START                  MESSAGE",
        "cpu    done    2026-11-24T10:00:00Z   a long message of thirty letters",
    ]


def test_the_last_column_is_cut_first() -> None:
    _, row = drawn(52)
    assert row == "cpu    done    2026-11-24T10:00:00Z   a long messag…"
    assert len(row) == 52


def test_columns_go_from_the_right_and_are_named() -> None:
    assert drawn(40) == [
        "NAME   STATE   START",
        "cpu    done    2026-11-24T10:00:00Z",
        "left out: MESSAGE; -o wide shows all",
    ]


def test_the_columns_that_are_less_needed_go_first_in_their_order() -> None:
    assert drawn(30, "START", "STATE") == [
        "NAME   STATE   MESSAGE",
        "cpu    done    a long message…",
        "left out: START; -o wide shows all",
    ]
    assert drawn(20, "START", "STATE")[-1] == "left out: STATE, START; -o wide shows all"


def test_no_column_goes_without_a_word_at_any_width() -> None:
    for width in range(1, 80):
        head, row, *said = drawn(width, "STATE")
        assert len(row) <= width
        left_out = said[0].removeprefix("left out: ").partition(";")[0].split(", ") if said else []
        assert len(head.split()) + len(left_out) == len(HEAD)


def test_control_characters_do_not_reach_the_terminal() -> None:
    assert list(table(("A",), [("x\x1b[2Jy\nz",)])) == ["A", "x [2Jy z"]
