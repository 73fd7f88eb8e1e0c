"""docs/troubleshooting.md has a line for each reason that a rule, its conditions and Events give.

Block reasons are one enum. The other reasons are read from the code: each is a word handed to a
constructor of conditions or Events.
"""

import ast
import re
from collections.abc import Iterator
from typing import get_args

from summaryrule.api.block_reason import BlockReason
from summaryrule.api.v1 import Phase
from tests.docs.shell import ROOT

PAGE = ROOT / "docs" / "troubleshooting.md"
PACKAGES = ("summaryrule", "worker")
_WORD = re.compile(r"[A-Z][a-z]+(?:[A-Z][a-z]+)*")
BLOCK_REASONS = {reason.value for reason in BlockReason}
# Reasons of Events that `preconditions.event_for` takes from the enum.
BLOCK_EVENTS = {
    BlockReason.COLUMNS_DIFFER.value,
    BlockReason.CRITERIA_EXPRESSION_ERROR.value,
    BlockReason.ENDPOINT_UNAVAILABLE.value,
    BlockReason.MALFORMED.value,
    BlockReason.NO_ENDPOINT.value,
    BlockReason.QUERY_INVALID.value,
}


def trees() -> Iterator[ast.AST]:
    for package in PACKAGES:
        paths = sorted((ROOT / package).rglob("*.py"))
        assert paths, package
        for path in paths:
            yield ast.parse(path.read_text(encoding="utf-8"), str(path))


def words(node: ast.AST) -> set[str]:
    """The reasons that an expression may have as its value, as far as it spells them."""
    found = {each.value for each in ast.walk(node) if isinstance(each, ast.Constant)}
    return {word for word in found if isinstance(word, str) and _WORD.fullmatch(word)}


def reasons_given_to(constructor: str, position: int) -> set[str]:
    """Words that calls of `constructor` have as their argument `reason`."""
    found = set[str]()
    for tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == constructor:
                named = [each.value for each in node.keywords if each.arg == "reason"]
                given = named or node.args[position : position + 1]
                found |= {word for each in given for word in words(each)}
    return found


def operations_condition_reasons() -> set[str]:
    """Reasons that `conditions.py` chooses by an expression first."""
    tree = ast.parse((ROOT / "summaryrule" / "planner" / "conditions.py").read_text("utf-8"))
    return {
        word
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "reason"
        for word in words(node.value)
    }


def listed(heading: str) -> set[str]:
    section = PAGE.read_text(encoding="utf-8").split(f"\n## {heading}\n")[1].split("\n## ")[0]
    firsts = re.findall(r"^\| (`.*?) \|", section, re.MULTILINE)
    return {word for first in firsts for word in re.findall(r"`(\w+)`", first)}


def test_every_reason_of_a_condition_or_block_has_its_line() -> None:
    conditions = reasons_given_to("DesiredCondition", 2) | operations_condition_reasons()
    conditions |= set(get_args(Phase))
    assert {"Active", "Idle", "InProgress", "ExecutionSuccessful", "Canceled"} <= conditions
    has_line = listed("Conditions") | listed("Reasons why a rule does not run")
    assert (conditions | BLOCK_REASONS) - has_line == set()


def test_every_event_has_its_line() -> None:
    spoken = reasons_given_to("EmitEvent", 1) | BLOCK_EVENTS
    assert {"BackfillStarted", "BackfillFailed", "WindowFailed"} <= spoken
    assert spoken - listed("Events") == set()


def test_the_page_lists_nothing_that_the_code_does_not_say() -> None:
    said = {word for tree in trees() for word in words(tree)}
    assert (listed("Conditions") | listed("Reasons why a rule does not run")) - said == set()
