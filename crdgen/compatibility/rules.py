"""CEL rules: added, removed, tightened or loosened.

Two rules are compared as trees. Looser is what can be shown to be: another alternative, a
condition less, a wider bound. Anything else that changes counts as tightened.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from crdgen.cel import ast
from crdgen.cel.ast import Node
from crdgen.cel.parser import CelError, parse
from crdgen.compatibility.change import Change, breaking, safe
from crdgen.compatibility.constraints import tighten
from crdgen.schema_keywords import Schema

_RULES: Final = "x-kubernetes-validations"
_UP: Final = frozenset({"_<_", "_<=_"})
_DOWN: Final = frozenset({"_>_", "_>=_"})


def changes(old: Schema, new: Schema, path: str) -> Iterator[Change]:
    """What changed in the rules of one node."""
    was = {_key(rule): rule for rule in old.get(_RULES, ())}
    now = {_key(rule): rule for rule in new.get(_RULES, ())}
    gone = [rule for key, rule in was.items() if key not in now]
    for key, rule in now.items():
        if key not in was:
            yield _appear(rule, gone, new, path)
    kept = [rule for rule in gone if not any(_is_looser(rule, each) for each in now.values())]
    for rule in kept:
        what = f"rule removed: {_short(rule)}"
        yield safe("rule-removed", path, what, "more values are taken")
    for key in was.keys() & now.keys():
        if was[key] | {"rule": ""} != now[key] | {"rule": ""}:
            what = f"how rule {_short(now[key])} reports"
            yield safe("rule-message-changed", path, what, "the same values are taken")


def _appear(rule: Schema, gone: list[Schema], node: Schema, path: str) -> Change:
    if any(_is_looser(each, rule) for each in gone):
        what = f"rule loosened: {_short(rule)}"
        return safe("rule-loosened", path, what, "every old value is taken")
    verb = "tightened or changed" if gone else "added"
    what, name = f"rule {verb}: {_short(rule)}", f"rule-{'changed' if gone else 'added'}"
    if "oldSelf" in rule["rule"]:
        why = "updates that it forbids are refused; transition rules are never ratcheted"
        return breaking(name, path, what, why, "whoever edits such objects")
    return tighten(name, node, path, what)


def _key(rule: Schema) -> tuple[str, bool]:
    return " ".join(str(rule.get("rule", "")).split()), bool(rule.get("optionalOldSelf"))


def _short(rule: Schema) -> str:
    text = " ".join(str(rule.get("rule", "")).split())
    return text if len(text) <= 72 else f"{text[:71]}…"  # noqa: PLR2004 - fits into a line


def _is_looser(old: Schema, new: Schema) -> bool:
    if bool(old.get("optionalOldSelf")) != bool(new.get("optionalOldSelf")):
        return False
    try:
        return _implied(parse(old["rule"]).root, parse(new["rule"]).root)
    except CelError:
        return False


def _implied(old: Node, new: Node) -> bool:
    """Whether `new` is true wherever `old` is, as far as their shapes show it."""
    if same(old, new):
        return True
    if _is_call(new, "_||_"):
        return any(_implied(old, side) for side in _args(new)) or (
            _is_call(old, "_||_") and all(_implied(side, new) for side in _args(old))
        )
    if _is_call(new, "_&&_"):
        return all(_implied(old, side) for side in _args(new))
    if _is_call(old, "_&&_"):
        return any(_implied(side, new) for side in _args(old))
    return _wider(old, new)


def _wider(old: Node, new: Node) -> bool:
    if not (isinstance(old, ast.Call) and isinstance(new, ast.Call)):
        return False
    if old.function != new.function or len(old.args) != 2 or not same(old.args[0], new.args[0]):  # noqa: PLR2004
        return False
    was, now = old.args[1], new.args[1]
    if old.function == "@in" and isinstance(was, ast.ListOf) and isinstance(now, ast.ListOf):
        return all(any(same(one, other) for other in now.items) for one in was.items)
    if not (isinstance(was, ast.Literal) and isinstance(now, ast.Literal)):
        return False
    if type(was.value) is not type(now.value) or not isinstance(was.value, (int, float)):
        return False
    grows = now.value > was.value
    return (old.function in _UP and grows) or (old.function in _DOWN and not grows)


def _is_call(node: Node, function: str) -> bool:
    return isinstance(node, ast.Call) and node.function == function


def _args(node: Node) -> tuple[Node, ...]:
    return node.args if isinstance(node, ast.Call) else ()


def same(one: Node, other: Node) -> bool:
    """Whether two trees say the same, whatever their ids."""
    return repr(_without_ids(one)) == repr(_without_ids(other))


def _without_ids(node: Node) -> Node:
    return ast.with_children(replace(node, id=0), _without_ids)
