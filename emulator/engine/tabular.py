"""Whether a name, a call or a function gives rows or a value, and the rows.

A name alone may be a column, a scalar let, a tabular let, a function or a table.
"""

from typing import TYPE_CHECKING

from emulator.engine import syntax
from emulator.engine.relation import Relation
from emulator.engine.scope import LetFunction, Scope

if TYPE_CHECKING:
    from emulator.engine.compiler import Compiler


def as_relation(
    compiler: "Compiler", value: "syntax.Expression | syntax.Pipeline | syntax.Lambda", scope: Scope
) -> Relation | None:
    """The rows of `value` where it is tabular, None where it is a scalar."""
    if isinstance(value, syntax.Pipeline):
        return compiler.pipeline(value, scope)
    if isinstance(value, syntax.Subquery):
        return compiler.pipeline(value.pipeline, scope)
    if isinstance(value, syntax.Name):
        return _named(compiler, value, scope)
    if isinstance(value, syntax.Call) and _is_tabular_call(compiler, value, scope):
        return compiler.source(syntax.CallSource(value.at, value), scope, None)
    if (
        isinstance(value, syntax.Member)
        and isinstance(value.base, syntax.Call)
        and value.base.name == "database"
    ):
        name = value.base.arguments[0].value
        database = str(name.value) if isinstance(name, syntax.Literal) else None
        return compiler.source(syntax.TableSource(value.at, str(value.name), database), scope, None)
    return None


def _named(compiler: "Compiler", value: syntax.Name, scope: Scope) -> Relation | None:
    binding = scope.get(value.name)
    if isinstance(binding, Relation):
        return compiler.reference(binding)
    if isinstance(binding, LetFunction):
        return (
            compiler.call_table(binding, (), None, scope, value.at)
            if is_tabular(compiler, binding)
            else None
        )
    if binding is None and (
        compiler.find_table(value.name, None) is not None
        or compiler.stored_function(value.name) is not None
    ):
        return compiler.source(syntax.TableSource(value.at, value.name), scope, None)
    return None


def _is_tabular_call(compiler: "Compiler", value: syntax.Call, scope: Scope) -> bool:
    if value.name in ("materialize", "table", "view"):
        return True
    binding = scope.get(value.name)
    function = binding if isinstance(binding, LetFunction) else compiler.stored_function(value.name)
    return function is not None and is_tabular(compiler, function)


def is_tabular(compiler: "Compiler", function: LetFunction) -> bool:
    """Whether a function gives rows."""
    body = function.definition.body
    if isinstance(body, syntax.Pipeline | syntax.Subquery):
        return True
    names = {
        parameter.name
        for parameter in function.definition.parameters
        if parameter.columns is not None
    }
    lets = {let.name: let.value for let in function.definition.statements}
    if isinstance(body, syntax.Name):
        if body.name in names:
            return True
        if body.name in lets:
            return isinstance(lets[body.name], syntax.Pipeline)
        if any(parameter.name == body.name for parameter in function.definition.parameters):
            return False
        return _is_tabular_name(compiler, body.name, function.scope)
    if isinstance(body, syntax.Call):
        local = lets.get(body.name)
        if isinstance(local, syntax.Lambda):
            return is_tabular(compiler, LetFunction(local, function.scope, body.name))
        return _is_tabular_call(compiler, body, function.scope)
    return False


def _is_tabular_name(compiler: "Compiler", name: str, scope: Scope) -> bool:
    binding = scope.get(name)
    if binding is not None:
        return isinstance(binding, Relation) or (
            isinstance(binding, LetFunction) and is_tabular(compiler, binding)
        )
    return compiler.find_table(name, None) is not None
