"""Drawn queries against the independent evaluator; a bug planted in the engine is found.

`python -m tests.emulator.fuzz.runner 20000` draws more.
"""

import pytest

from emulator import store
from emulator.engine import arithmetic, macros
from emulator.engine.operators import sides
from emulator.engine.typed import Typed
from tests.emulator.fuzz.runner import differences


def test_the_engine_and_the_evaluator_agree() -> None:
    assert differences(range(1500)) == []


def test_a_division_that_loses_infinity_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    right = arithmetic._number_arithmetic  # noqa: SLF001 - where the bug is planted

    def planted(operator: str, left: Typed, other: Typed, at: int) -> Typed:
        found = right(operator, left, other, at)
        if operator == "/" and found.type == "real":
            return Typed(found.sql.replace(" / ", " / nullif(").removesuffix(")") + ", 0))", "real")
        return found

    monkeypatch.setattr(arithmetic, "_number_arithmetic", planted)
    assert differences(range(1500), most=1) != []


def test_an_outer_join_with_null_strings_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    right = sides._joined  # noqa: SLF001 - where the bug is planted

    def planted(*arguments: object) -> object:
        found = right(*arguments)  # type: ignore[arg-type]
        return found.with_source(found.source.replace(", '') AS", ", NULL) AS"))

    monkeypatch.setattr(sides, "_joined", planted)
    assert differences(range(1500), most=1) != []


def test_a_remainder_with_the_sign_of_sql_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    planted = tuple(
        text.replace("((a % nullif(b, 0)) + abs(b)) % nullif(abs(b), 0)", "a % nullif(b, 0)")
        for text in macros.MACROS
    )
    assert planted != macros.MACROS
    monkeypatch.setattr("emulator.store._SYSTEM", _with(planted))
    assert differences(range(1500), most=1) != []


def _with(planted: tuple[str, ...]) -> tuple[str, ...]:
    others = [text for text in store._SYSTEM if text not in macros.MACROS]  # noqa: SLF001 - likewise
    return (*others, *planted)
