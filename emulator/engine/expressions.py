"""Binds scalar expressions: names to columns and lets, calls to functions, all with their types.

Source: Kusto docs, "Scalar functions", "let statement", "Member access".
"""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Final

from emulator.engine import arithmetic, literals, syntax
from emulator.engine.aggregates import AGGREGATES
from emulator.engine.aggregates import NAMES as AGGREGATE_NAMES
from emulator.engine.conversion import convert, json_sql, text_sql
from emulator.engine.functions import FUNCTIONS, Call
from emulator.engine.functions.dynamic import sort_call
from emulator.engine.functions.registry import Function
from emulator.engine.functions.series import SEVERAL, several
from emulator.engine.naming import expression_name
from emulator.engine.problems import SemanticProblem, SyntaxProblem, UnsupportedProblem
from emulator.engine.relation import Relation
from emulator.engine.scope import LetFunction, Scope
from emulator.engine.star import every_column
from emulator.engine.typed import Typed, constant, quote
from emulator.engine.windows import WINDOWS

if TYPE_CHECKING:
    from emulator.engine.compiler import Compiler

_SORTING: Final = ("array_sort_asc", "array_sort_desc")


class ExpressionBinder:
    """Binds the expressions of one operator over `relation`, in `scope`.

    With `aggregates`, a call of an aggregate function is allowed, and a column only inside one.
    `hoisted` collects SQL that must be computed one step before, as a window inside another.
    """

    def __init__(
        self,
        compiler: "Compiler",
        scope: Scope,
        relation: Relation | None = None,
        *,
        aggregates: bool = False,
    ) -> None:
        self.compiler = compiler
        self.scope = scope
        self.relation = relation
        self.aggregates = aggregates
        self.hoisted: list[tuple[str, str]] = []

    # ----- one expression

    def bind(self, node: syntax.Expression) -> Typed:
        """The typed SQL of `node`; raises a Problem."""
        binder = self._binders.get(type(node))
        if binder is None:
            raise SyntaxProblem("expected a scalar expression", node.at)
        return binder(self, node)

    def filter(self, node: syntax.Expression) -> Typed:
        """`node` as a condition whose null counts as false."""
        if isinstance(node, syntax.Binary):
            if node.operator in ("and", "or"):
                left, right = self.filter(node.left), self.filter(node.right)
                return arithmetic.logical(node.operator, left, right, node.at)
            if node.operator in ("==", "!="):
                left, right = self.bind(node.left), self.bind(node.right)
                return arithmetic.equality(node.operator, left, right, node.at, in_filter=True)
        return arithmetic.truth(self.bind(node), "where", node.at)

    def constant(self, node: syntax.Expression, kind: str, what: str) -> Any:  # noqa: ANN401
        """The value of `node`, which must be known before the query runs."""
        value = ExpressionBinder(self.compiler, self.scope).bind(node)
        value = convert(value, kind)
        if not value.is_constant:
            raise UnsupportedProblem(f"a computed {what}", node.at, "write a literal")
        return value.constant

    def several(self, node: syntax.Expression) -> list[Typed]:
        """The columns of `node`: more than one for `series_stats()` and the like."""
        if (
            isinstance(node, syntax.Call)
            and node.name in SEVERAL
            and self._function(node.name) is None
        ):
            return several(self._call(node))
        if isinstance(node, syntax.Call) and node.name in ("array_sort_asc", "array_sort_desc"):
            return sort_call(self._call(node))
        if isinstance(node, syntax.Call) and self.aggregates and node.name in AGGREGATES:
            return self.aggregate(node)
        return [self.bind(node)]

    def hoist(self, value: Typed) -> Typed:
        """A column that holds `value`, computed one step before."""
        name = self.compiler.environment.names.fresh()
        self.hoisted.append((name, value.sql))
        return Typed(name, value.type, name=value.name)

    # ----- literals and names

    def _literal(self, node: syntax.Literal) -> Typed:
        if (
            node.type == "long"
            and isinstance(node.value, int)
            and not -(2**63) <= node.value < 2**63
        ):
            raise SyntaxProblem(f"{node.value} does not fit a long", node.at)
        return constant(node.type, node.value)

    def _name(self, node: syntax.Name) -> Typed:
        column = None if self.relation is None else self.relation.find(node.name)
        if column is not None:
            if self.aggregates:
                raise SemanticProblem(
                    f"'{node.name}' must be inside an aggregate function", node.at, "SEM0139"
                )
            return column.typed
        binding = self.scope.get(node.name)
        if isinstance(binding, Typed):
            return binding.named(node.name)
        if isinstance(binding, LetFunction) and not binding.definition.parameters:
            return self.compiler.call_scalar(binding, (), self, node.at)
        raise SemanticProblem(f"Failed to resolve scalar expression named '{node.name}'", node.at)

    def _star(self, node: syntax.Star) -> Typed:
        raise SyntaxProblem(f"'{node.pattern}' is not allowed here", node.at)

    # ----- members

    def _member(self, node: syntax.Member) -> Typed:
        path, base = self._path(node)
        if isinstance(base, syntax.Call) and base.name in _SORTING and len(base.arguments) > 1:
            value = self._sorted_array(base, path)
            rest = re.sub(r"^\[\d+\]", "", str(path[0]))
            path = [*([rest] if rest else []), *path[1:]]
        else:
            value = self.bind(base)
        if value.type != "dynamic":
            raise SemanticProblem(
                f"a member is read from a dynamic, not from a {value.type}", node.at, "SEM0004"
            )
        sql = value.sql
        for step in path:
            sql = self._step(sql, step)
        found = Typed(sql, "dynamic", windowed=value.windowed)
        return found.named(self._safe_name(node))

    def _sorted_array(self, node: syntax.Call, path: list[Any]) -> Typed:
        """The array of `array_sort_…(a, b)[n]`, which gives several."""
        arrays = sort_call(self._call(node))
        found = re.match(r"\[(\d+)\]", str(path[0]))
        if found is None or int(found[1]) >= len(arrays):
            raise UnsupportedProblem(f"this index of '{node.name}()'", node.at)
        return arrays[int(found[1])]

    def _safe_name(self, node: syntax.Expression) -> str | None:
        try:
            return expression_name(node, AGGREGATE_NAMES)
        except UnsupportedProblem:
            return None

    def _path(self, node: syntax.Member) -> tuple[list[Any], syntax.Expression]:
        steps: list[Any] = []
        base: syntax.Expression = node
        while isinstance(base, syntax.Member):
            steps.append(base.name if base.name is not None else base.index)
            base = base.base
        merged: list[Any] = []
        for step in reversed(steps):
            plain = self._json_path(step)
            if plain is not None and merged and isinstance(merged[-1], str):
                merged[-1] += plain
            else:
                merged.append(plain if plain is not None else step)
        return merged, base

    def _json_path(self, step: Any) -> str | None:  # noqa: ANN401 - a name or an expression
        if isinstance(step, syntax.Literal):
            if step.type == "long" and isinstance(step.value, int):
                return f"[{step.value}]" if step.value >= 0 else f"[#{step.value}]"
            step = step.value if step.type == "string" else None
        if isinstance(step, str) and not set(step) & set('"\\*') and step:
            return f'."{step}"'
        return None

    def _step(self, sql: str, step: Any) -> str:  # noqa: ANN401 - a path, a name or an expression
        if isinstance(step, str) and step.startswith((".", "[")) and step[-1] in '"]':
            return f"__emulator.element(json_extract({sql}, {quote('$' + step)}))"
        index = constant("string", step) if isinstance(step, str) else self.bind(step)
        if index.type in ("int", "long"):
            return f"k_item({sql}, {convert(index, 'long').sql})"
        if index.type in ("string", "dynamic"):
            return f"k_member({sql}, {text_sql(index)})"
        raise SemanticProblem(
            f"an index is a string or a long, not a {index.type}", getattr(step, "at", -1)
        )

    # ----- operators

    def _unary(self, node: syntax.Unary) -> Typed:
        value = self.bind(node.operand)
        return value if node.operator == "+" else arithmetic.negate(value, node.at)

    def _binary(self, node: syntax.Binary) -> Typed:
        if isinstance(node.left, syntax.Star) and self.relation is not None:
            return self.bind(every_column(self.relation, node))
        left, right = self.bind(node.left), self.bind(node.right)
        operator = node.operator
        if operator in ("and", "or"):
            return arithmetic.logical(operator, left, right, node.at)
        if operator in ("==", "!="):
            return arithmetic.equality(operator, left, right, node.at)
        if operator in ("<", "<=", ">", ">="):
            return arithmetic.relation(operator, left, right, node.at)
        if operator in ("+", "-", "*", "/", "%"):
            return arithmetic.arithmetic(operator, left, right, node.at)
        if operator == "matches regex":
            return arithmetic.matches_regex(left, right, node.at)
        return arithmetic.text_operator(operator, left, right, node.at)

    def _between(self, node: syntax.Between) -> Typed:
        value, low, high = self.bind(node.value), self.bind(node.low), self.bind(node.high)
        return arithmetic.between(value, low, high, node.at, negated=node.negated)

    def _in_list(self, node: syntax.InList) -> Typed:
        value = self.bind(node.value)
        if node.operator in ("has_any", "has_all"):
            return self._has_list(node, value)
        tests = [self._in_item(node, value, item) for item in node.items]
        joined = self._joined_constants(node, value)
        if joined is not None:
            tests = [joined]
        sql = f"coalesce({' OR '.join(tests)}, false)" if tests else "false"
        negated = node.operator.startswith("!")
        return Typed(f"(NOT {sql})" if negated else f"({sql})", "bool", windowed=value.windowed)

    def _joined_constants(self, node: syntax.InList, value: Typed) -> str | None:
        if not node.items or node.operator.endswith("~") or value.type == "dynamic":
            return None
        if not all(
            isinstance(item, syntax.Literal) and item.type == value.type for item in node.items
        ):
            return None
        if value.type in ("real", "dynamic"):
            return None
        items = [self.bind(item).sql for item in node.items]  # type: ignore[arg-type]
        return f"{value.sql} IN ({', '.join(items)})"

    def _in_item(
        self, node: syntax.InList, value: Typed, item: "syntax.Expression | syntax.Pipeline"
    ) -> str:
        folds = node.operator.endswith("~")
        relation = self.compiler.as_relation(item, self.scope)
        if relation is not None:
            return self._in_rows(node, value, relation)
        bound = self.bind(item)  # type: ignore[arg-type]
        if bound.type == "dynamic" and isinstance(bound.constant, list):
            tests = [
                self._equal(value, _json_typed(one), node.at, folds=folds) for one in bound.constant
            ]
            return f"({' OR '.join(tests)})" if tests else "false"
        if bound.type == "dynamic" and not bound.is_constant:
            function = "k_in_dynamic_ci" if folds else "k_in_dynamic"
            return f"{function}({bound.sql}, {json_sql(value)})"
        return self._equal(value, bound, node.at, folds=folds)

    def _equal(self, value: Typed, other: Typed, at: int, *, folds: bool) -> str:
        if folds:
            return f"lower({text_sql(value)}) = {arithmetic.lowered(other)}"
        if value.type != "dynamic" and other.is_constant and other.type != value.type:
            numbers = value.type in ("int", "long", "real") and other.type in (
                "int",
                "long",
                "real",
            )
            if (
                not numbers
                and other.type in ("string", "bool", "long", "real")
                and value.type
                in (
                    "string",
                    "bool",
                    "int",
                    "long",
                    "real",
                )
            ):
                raise SemanticProblem(
                    f"'in' cannot compare {value.type} with {other.type}; cast one", at, "SEM0025"
                )
        return arithmetic.equality("==", value, other, at, in_filter=True).sql

    def _in_rows(self, node: syntax.InList, value: Typed, relation: Relation) -> str:
        first = relation.columns[0]
        if node.operator.endswith("~"):
            left, right = f"lower({text_sql(value)})", f"lower({text_sql(first.typed)})"
        else:
            a, b = arithmetic.comparable(value, first.typed, node.operator, node.at)
            left, right = a.sql, b.sql
        return f"{left} IN (SELECT {right} FROM {relation.source})"

    def _has_list(self, node: syntax.InList, value: Typed) -> Typed:
        if value.type not in ("string", "dynamic"):
            raise SemanticProblem(
                f"'{node.operator}' takes strings, not a {value.type}", node.at, "SEM0064"
            )
        tests = []
        for item in node.items:
            if self.compiler.as_relation(item, self.scope) is not None:
                raise UnsupportedProblem(f"a table in '{node.operator}'", node.at, "write a list")
            bound = self.bind(item)  # type: ignore[arg-type]
            needles = (
                [_json_typed(one) for one in bound.constant]
                if bound.type == "dynamic" and isinstance(bound.constant, list)
                else [bound]
            )
            if bound.type == "dynamic" and not bound.is_constant:
                raise UnsupportedProblem(
                    f"a computed list in '{node.operator}'", node.at, "write a literal list"
                )
            tests += [
                arithmetic.term_match("has", value, needle, sensitive=False) for needle in needles
            ]
        joined = (" OR " if node.operator == "has_any" else " AND ").join(tests)
        return Typed(
            f"({joined or ('false' if node.operator == 'has_any' else 'true')})",
            "bool",
            windowed=value.windowed,
        )

    # ----- calls

    def _subquery(self, node: syntax.Subquery) -> Typed:
        raise SyntaxProblem(
            "a tabular expression stands where a value is expected; write toscalar(…)", node.at
        )

    def _function(self, name: str) -> LetFunction | None:
        binding = self.scope.get(name)
        if isinstance(binding, LetFunction):
            return binding
        return self.compiler.stored_function(name)

    def _call_node(self, node: syntax.Call) -> Typed:
        name = node.name
        binding = self.scope.get(name)
        if isinstance(binding, LetFunction):
            return self.compiler.call_scalar(binding, node.arguments, self, node.at)
        special = self.SPECIAL.get(name)
        if special is not None:
            return special(self, node)
        if name in KNOWN_UNSUPPORTED and name not in AGGREGATES:
            raise UnsupportedProblem(f"the function '{name}()'", node.at)
        if name in AGGREGATES and (name not in FUNCTIONS or self.aggregates):
            return self._single_aggregate(node)
        if name in WINDOWS:
            return WINDOWS[name](self._call(node))
        if name in FUNCTIONS:
            function = FUNCTIONS[name]
            call = self._call(node)
            self._check_count(function, call)
            found = function.bind(call)
            return Typed(
                found.sql,
                found.type,
                found.constant,
                any(value.windowed for value in call.arguments) or found.windowed,
                self._safe_name(node),
            )
        stored = self.compiler.stored_function(name)
        if stored is not None:
            return self.compiler.call_scalar(stored, node.arguments, self, node.at)
        raise self._unknown(node)

    def _unknown(self, node: syntax.Call) -> Exception:
        if node.name in KNOWN_UNSUPPORTED or node.name.startswith(
            ("geo_", "graph_", "node_", "series_")
        ):
            return UnsupportedProblem(f"the function '{node.name}()'", node.at)
        return SemanticProblem(f"Unknown function: '{node.name}'", node.at, "SEM0260")

    def _check_count(self, function: Function, call: Call) -> None:
        count = len(call.arguments)
        if count < function.least or (function.most is not None and count > function.most):
            wanted = str(function.least)
            if function.most != function.least:
                wanted += f" to {function.most}" if function.most is not None else " or more"
            raise SemanticProblem(
                f"{call.name}(): function expects {wanted} argument(s), and got {count}",
                call.at,
                "SEM0219",
            )

    def _call(self, node: syntax.Call) -> Call:
        values = []
        for argument in node.arguments:
            if argument.name is not None:
                raise SemanticProblem(f"{node.name}() takes no named arguments", node.at, "SEM0219")
            values.append(self._argument(node, argument.value))
        return Call(node.name, node.at, tuple(values), self)

    def _argument(
        self, node: syntax.Call, value: "syntax.Expression | syntax.Pipeline | syntax.Lambda"
    ) -> Typed:
        if not isinstance(value, syntax.Expression):
            raise SemanticProblem(f"{node.name}() takes no tabular argument", node.at, "SEM0219")
        if isinstance(value, syntax.Call) and value.name == "typeof":
            name = value.arguments[0].value
            kind = name.name if isinstance(name, syntax.Name) else ""
            return constant("string", literals.canonical_type(kind) or "string")
        return self.bind(value)

    def _toscalar(self, node: syntax.Call) -> Typed:
        if len(node.arguments) != 1:
            raise SemanticProblem("toscalar(): function expects 1 argument", node.at, "SEM0219")
        return self.compiler.scalar_of(node.arguments[0].value, self.scope, self, node.at)

    def _column_ifexists(self, node: syntax.Call) -> Typed:
        if len(node.arguments) != 2:
            raise SemanticProblem(
                "column_ifexists(): function expects 2 arguments", node.at, "SEM0219"
            )
        name, default = (argument.value for argument in node.arguments)
        if not isinstance(name, syntax.Expression) or not isinstance(default, syntax.Expression):
            raise SemanticProblem("column_ifexists() takes a name and a value", node.at, "SEM0219")
        text = self.constant(name, "string", "column name")
        column = None if self.relation is None else self.relation.find(text)
        if column is not None:
            return self.bind(syntax.Name(node.at, text))
        return self.bind(default)

    def _typeof(self, node: syntax.Call) -> Typed:
        raise SemanticProblem("typeof() stands only as an argument", node.at, "SEM0219")

    # ----- aggregates

    def _single_aggregate(self, node: syntax.Call) -> Typed:
        if not self.aggregates:
            raise SemanticProblem(
                f"'{node.name}()' is an aggregate function, which only summarize takes",
                node.at,
                "SEM0260",
            )
        found = self.aggregate(node)
        if len(found) != 1:
            raise SemanticProblem(f"{node.name}() gives several columns", node.at, "SEM0219")
        return found[0]

    def aggregate(self, node: syntax.Call) -> list[Typed]:
        """The columns of an aggregate call."""
        least, most, bind = AGGREGATES[node.name]
        rows = ExpressionBinder(self.compiler, self.scope, self.relation)
        if node.name == "tdigest" and len(node.arguments) == 2:
            raise UnsupportedProblem("weights in 'tdigest()'", node.at)
        call = rows._call(self._without_star(node))
        self._check_count(Function(node.name, least, most, lambda one: one.arguments[0]), call)
        self.hoisted += rows.hoisted
        arguments = tuple(self._unwindowed(value) for value in call.arguments)
        found = bind(Call(call.name, call.at, arguments, rows))
        if len(found) == 1 and found[0].name is None:
            return [found[0].named(self._safe_name(node))]
        return found

    def _unwindowed(self, value: Typed) -> Typed:
        return self.hoist(value) if value.windowed else value

    def _without_star(self, node: syntax.Call) -> syntax.Call:
        """`node` with `*` spelled out: all columns but the group's keys and those named."""
        arguments = []
        for argument in node.arguments:
            if not isinstance(argument.value, syntax.Star) or self.relation is None:
                arguments.append(argument)
                continue
            named = {one.value.name for one in node.arguments if isinstance(one.value, syntax.Name)}
            named |= set(self.compiler.group_keys)
            arguments += [
                syntax.Argument(None, syntax.Name(node.at, column.name))
                for column in self.relation.columns
                if column.name not in named
            ]
        return syntax.Call(node.at, node.name, tuple(arguments))

    _binders: ClassVar[
        "dict[type[syntax.Expression], Callable[[ExpressionBinder, Any], Typed]]"
    ] = {
        syntax.Literal: _literal,
        syntax.Name: _name,
        syntax.Star: _star,
        syntax.Member: _member,
        syntax.Unary: _unary,
        syntax.Binary: _binary,
        syntax.Between: _between,
        syntax.InList: _in_list,
        syntax.Call: _call_node,
        syntax.Subquery: _subquery,
    }
    SPECIAL: ClassVar["dict[str, Callable[[ExpressionBinder, syntax.Call], Typed]]"] = {
        "toscalar": _toscalar,
        "column_ifexists": _column_ifexists,
        "columnifexists": _column_ifexists,
        "typeof": _typeof,
    }


def _json_typed(value: Any) -> Typed:  # noqa: ANN401 - JSON
    if isinstance(value, bool):
        return constant("bool", value)
    if isinstance(value, int):
        return constant("long", value)
    if isinstance(value, float):
        return constant("real", value)
    return constant("string", value) if isinstance(value, str) else constant("dynamic", value)


KNOWN_UNSUPPORTED: Final = frozenset(
    {
        *("all", "any", "bag_unpack", "buildschema", "cluster", "column_names_of", "convert_force"),
        *("current_principal_details", "current_user", "database", "dcount_hll_if"),
        *("external_table", "externaldata", "format_ipv6", "format_ipv6_mask", "has_any_ipv6"),
        *("has_ipv6", "hash_combine", "hash_many", "hll_if", "inner_nodes", "labels", "map"),
        *("materialized_view", "parse_version", "percentile_array_tdigest"),
        *("percentiles_array_tdigest", "percentrank_tdigest", "punycode_domain_from_string"),
        *("set_equals", "stored_query_result", "welch_test"),
    }
)
"""Functions that Kusto has and this engine has not, beside families such as `geo_`."""
