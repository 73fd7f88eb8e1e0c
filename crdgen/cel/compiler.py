"""One rule of a schema compiled: parsed, checked, costed. `check` and `validate` start here."""

from dataclasses import dataclass
from typing import Final

from crdgen.cel import cost, literal_checks, types
from crdgen.cel.checker import Checked, check_expression
from crdgen.cel.declarations import REQUEST, Declared, types_of
from crdgen.cel.parser import CelError, parse
from crdgen.cel.types import Type
from crdgen.schema_keywords import Schema

SELF: Final = "self"
OLD_SELF: Final = "oldSelf"


@dataclass(frozen=True, slots=True)
class Compiled:
    """A rule that compiles; costs are estimates for one evaluation."""

    rule: Checked
    cost: int
    message: Checked | None
    message_cost: int

    @property
    def reads_old(self) -> bool:
        """Whether it is a transition rule."""
        return OLD_SELF in self.rule.names


class RuleError(ValueError):
    """A rule does not compile; `part` is `rule` or `messageExpression`."""

    def __init__(self, part: str, message: str) -> None:
        self.part = part
        super().__init__(message)


class Scope:
    """What the rules of one schema node may read."""

    def __init__(self, node: Declared) -> None:
        self._node = node
        self._structs = types_of(node)

    @property
    def unbounded(self) -> int:
        """How often a node of this size fits into one request."""
        return REQUEST // (self._node.smallest + 1)

    def compile_rule(self, rule: Schema) -> Compiled:
        """Compile one entry of `x-kubernetes-validations`.

        Raises:
            RuleError: the rule or its message expression is refused.
        """
        optional = bool(rule.get("optionalOldSelf"))
        checked_rule = self._check(rule["rule"], optional=optional, part="rule")
        if checked_rule.result != types.BOOL:
            raise RuleError("rule", "cel expression must evaluate to a bool")
        price = cost.estimate(checked_rule, self._node).most
        message, message_price = None, 0
        if rule.get("messageExpression"):
            part = "messageExpression"
            message = self._check(rule[part], optional=optional, part=part)
            if message.result != types.STRING:
                raise RuleError(part, "messageExpression must evaluate to a string")
            message_price = cost.estimate(message, self._node).most
        return Compiled(checked_rule, price, message, message_price)

    def _check(self, text: str, *, optional: bool, part: str) -> Checked:
        old: Type = types.optional_of(self._node.kind) if optional else self._node.kind
        variables = {SELF: self._node.kind, OLD_SELF: old}
        prefix = "compilation failed: " if part == "rule" else f"{part} compilation failed: "
        try:
            found = check_expression(parse(text), variables, self._structs)
        except CelError as error:
            raise RuleError(part, f"{prefix}{error}") from None
        if wrong := list(literal_checks.errors(found)):
            raise RuleError(part, prefix + "\n".join(wrong))
        if broken := next(literal_checks.patterns(found), None):
            what = "program" if part == "rule" else part
            raise RuleError(part, f"{what} instantiation failed: {broken}")
        return found
