"""docs/troubleshooting.md has a line for each reason that a rule, its conditions and Events give.

They are read from the code: a reason is a word handed to one of the few constructors that make
conditions, holds and Events.
"""

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import get_args

from summaryrule.api.v1 import Phase
from tests.docs.shell import ROOT

PAGE = ROOT / "docs" / "troubleshooting.md"
ROOMS = ("summaryrule", "worker")
_WORD = re.compile(r"[A-Z][a-z]+(?:[A-Z][a-z]+)*")
# Which argument of each is a reason.
CONDITIONS = {"Wanted": 2, "Condition": 2}
HOLDS = {"Held": 0}
EVENTS = {"EmitEvent": 1}
# What `holds` calls it on the way to the condition.
RENAMED = {"CriteriaNotMatched": "CriteriaNotMet"}
TYPES = {"Normal", "Warning"}  # of Events
# A verdict that lets the rule run gives no condition.
UNSAID = {"CriteriaMatched"}


def trees() -> Iterator[ast.AST]:
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            yield ast.parse(path.read_text(encoding="utf-8"), str(path))


def words(node: ast.AST) -> set[str]:
    """The reasons that an expression may come to, as far as it spells them."""
    found = {each.value for each in ast.walk(node) if isinstance(each, ast.Constant)}
    return {word for word in found if isinstance(word, str) and _WORD.fullmatch(word)}


def given_to(constructors: dict[str, int], among: Iterable[ast.AST] | None = None) -> set[str]:
    calls = [
        node for tree in among or trees() for node in ast.walk(tree) if isinstance(node, ast.Call)
    ]
    places = [(call, constructors.get(getattr(call.func, "id", ""))) for call in calls]
    reasons = [call.args[at] for call, at in places if at is not None and at < len(call.args)]
    return {word for reason in reasons for word in words(reason)}


def in_pairs() -> set[str]:
    """Reasons in `(reason, message)` pairs, which `turn` and `phase` hand on as holds."""
    tuples = [node for tree in trees() for node in ast.walk(tree) if isinstance(node, ast.Tuple)]
    pairs = [node.elts for node in tuples if len(node.elts) == 2]
    spoken = [pair[0] for pair in pairs if isinstance(pair[1], (ast.JoinedStr, ast.Constant))]
    return {word for node in spoken for word in words(node)} - TYPES


def constants() -> set[str]:
    """Module constants that name a reason: SPEC_CHANGED = "SpecChanged"."""
    names = {
        node.target.id: node.value
        for tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value
    }
    found = {word: name for name, value in names.items() for word in words(value)}
    return {word for word, name in found.items() if name.replace("_", "").lower() == word.lower()}


def assigned_reasons() -> set[str]:
    """`reason = "A" if … else "B"`: what conditions are made with."""
    return {
        word
        for tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "reason"
        for word in words(node.value)
    }


def listed(heading: str) -> set[str]:
    section = PAGE.read_text(encoding="utf-8").split(f"\n## {heading}\n")[1].split("\n## ")[0]
    firsts = re.findall(r"^\| (`.*?) \|", section, re.MULTILINE)
    return {word for first in firsts for word in re.findall(r"`(\w+)`", first)}


def reasons_of_conditions() -> set[str]:
    found = given_to(CONDITIONS) | given_to({"Verdict": 1}) | assigned_reasons() | constants()
    return {RENAMED.get(word, word) for word in found} - UNSAID | set(get_args(Phase))


def test_every_reason_of_a_condition_or_hold_has_its_line() -> None:
    spoken = reasons_of_conditions() | given_to(HOLDS) | in_pairs()
    assert {"SpecChanged", "NoEndpoint", "Idle", "Superseding", "Canceled"} <= spoken
    assert spoken - listed("Conditions") - listed("Reasons why a rule is held") == set()


def told_of_holds() -> set[str]:
    """What `holds.told` makes Events of: holds of a whole rule, but other clusters' criteria."""
    tree = ast.parse((ROOT / "summaryrule" / "holds.py").read_text(encoding="utf-8"))
    functions = {node.name: node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    makers = [functions["hold"], functions["condition"]]
    found = {word for each in makers for word in given_to(HOLDS, [each])}
    return found | given_to({"Verdict": 1}) - UNSAID - set(RENAMED)


def test_every_event_has_its_line() -> None:
    spoken = given_to(EVENTS) | told_of_holds()
    assert {"BackfillStarted", "Malformed", "NoEndpoint", "CriteriaExpressionError"} <= spoken
    assert spoken - listed("Events") == set()


def test_the_page_lists_nothing_that_the_code_does_not_say() -> None:
    said = {word for tree in trees() for word in words(tree)} | set(RENAMED.values())
    assert (listed("Conditions") | listed("Reasons why a rule is held")) - said == set()


def test_rooms_are_where_the_code_is() -> None:
    assert all(Path(ROOT / room / "__init__.py").exists() for room in ROOMS)
