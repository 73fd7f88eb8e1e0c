"""The estimated cost of an expression, as Kubernetes' CEL counts it before it runs anything.

Units are CEL's own: a step of the evaluation; a tenth for each character that is read. Numbers
saturate at 2^64 - 1. The rules follow cel-go 0.29's cost model and Kubernetes' library costs.
"""

from dataclasses import dataclass
from typing import Final

from crdgen.cel import ast, library_cost, types
from crdgen.cel.ast import Node
from crdgen.cel.checker import Checked
from crdgen.cel.declarations import Declared
from crdgen.cel.size_range import MOST, ONE, UNKNOWN, Range, fixed
from crdgen.cel.types import Type

_ACCUMULATORS: Final = frozenset({"@result", "__result__"})
_SCALAR: Final = frozenset({"bool", "double", "duration", "int", "timestamp", "uint"})
_READ: Final = 0.1
_REGEX: Final = 0.25
_COMPARED: Final = frozenset({
    f"{name}_{kind}"
    for name in ("less", "less_equals", "greater", "greater_equals")
    for kind in ("string", "bytes")
} | {"equals", "not_equals"})  # fmt: skip
Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Entries:
    """The sizes of what a list or map literal holds."""

    container: str
    key: Range
    value: Range

    def union(self, other: "Entries | None") -> "Entries | None":
        """Sizes that cover both, or None when one is not known."""
        if other is None:
            return None
        key, value = self.key.union(other.key), self.value.union(other.value)
        return Entries(self.container, key, value)


@dataclass(frozen=True, slots=True)
class _Local:
    path: Path
    size: Range | None
    entries: Entries | None


@dataclass(frozen=True, slots=True)
class Part:
    """An operand as cost rules see it."""

    path: Path
    kind: Type
    node: Node
    size: Range | None


def estimate(checked: Checked, root: Declared) -> Range:
    """The least and the most that evaluating `checked` on one `root` can cost."""
    return _Coster(checked, root).cost(checked.expression.root)


class _Coster:
    def __init__(self, checked: Checked, root: Declared) -> None:
        self._checked = checked
        self._root = root
        self._paths: dict[int, Path] = {}
        self._sizes: dict[int, Range] = {}
        self._entries: dict[int, Entries] = {}
        self._locals: dict[str, list[_Local]] = {}

    def cost(self, node: Node) -> Range:
        """The cost of evaluating `node`."""
        match node:
            case ast.Ident():
                local = self._local(node.name)
                self._paths[node.id] = local.path if local else (node.name,)
                return ONE
            case ast.Select():
                return self._select(node)
            case ast.Call():
                return self._call(self._checked.call(node))
            case ast.ListOf():
                return self._list(node)
            case ast.MapOf():
                return self._map(node)
            case ast.Loop():
                return self._bind(node) if _is_bind(node) else self._loop(node)
        return fixed(0)

    def size(self, node: Node) -> Range | None:
        """How large the value of `node` can be, or None when nothing is known."""
        if node.id in self._sizes:
            return self._sizes[node.id]
        literal = _literal_size(node)
        if literal is not None:
            return literal
        found = self.declared_size(self._path(node))
        if found is not None:
            self._sizes[node.id] = found
            return found
        if _is_scalar(self._checked.types[node.id]):
            return fixed(1)
        local = self._local(node.name) if isinstance(node, ast.Ident) else None
        return local.size if local else None

    def declared_size(self, path: Path) -> Range | None:
        """The size that the schema allows at `path`."""
        if not path:
            return None
        node = self._root
        for step in path[1:]:
            inner = {"@items": node.item, "@values": node.item, "@keys": node.key}.get(
                step, node.fields.get(step)
            )
            if inner is None:
                return None
            node = inner
        return Range(0, node.largest)

    def _local(self, name: str) -> _Local | None:
        stack = self._locals.get(name)
        return stack[-1] if stack else None

    def _path(self, node: Node) -> Path:
        local = self._local(node.name) if isinstance(node, ast.Ident) else None
        return local.path if local else self._paths.get(node.id, ())

    def _known(self, node: Node) -> Range:
        return self.size(node) or UNKNOWN

    def _entry(self, node: Node) -> Entries | None:
        if node.id in self._entries:
            return self._entries[node.id]
        local = self._local(node.name) if isinstance(node, ast.Ident) else None
        return local.entries if local else None

    def _select(self, node: ast.Select) -> Range:
        cost = self.cost(node.operand)
        if node.test:
            return cost
        if self._checked.types[node.operand.id].kind in {"map", "struct", "param"}:
            cost += ONE
        self._paths[node.id] = (*self._path(node.operand), node.field)
        return cost

    def _list(self, node: ast.ListOf) -> Range:
        cost, size = fixed(10), Range(MOST if node.items else 0, 0)
        for each in node.items:
            cost += self.cost(each)
            size = size.union(self._known(each))
        self._entries[node.id] = Entries("list", fixed(1), size)
        return cost

    def _map(self, node: ast.MapOf) -> Range:
        cost = fixed(30)
        key = value = Range(MOST if node.entries else 0, 0)
        for entry in node.entries:
            cost += self.cost(entry.key) + self.cost(entry.value)
            key = key.union(self._known(entry.key))
            value = value.union(self._known(entry.value))
        self._entries[node.id] = Entries("map", key, value)
        return cost

    def _call(self, node: ast.Call) -> Range:
        if node.function == "dyn":
            cost = self.cost(node.args[0]) + ONE
            self._copy(node, node.args[0])
            return cost
        costs = [self.cost(each) for each in node.args]
        args = [self._part(each) for each in node.args]
        overloads = self._checked.overloads.get(node.id, [])
        if not overloads:
            return fixed(0)
        total, target = fixed(0), None
        if node.target is not None:
            total, target = self.cost(node.target), self._part(node.target)
        return total + self._overloaded(node, overloads, target, args, costs)

    def _overloaded(
        self, node: ast.Call, overloads: list[str], target: Part | None, args: list[Part],
        costs: list[Range],
    ) -> Range:  # fmt: skip
        cost, size = Range(MOST, 0), None
        for overload in overloads:
            one, result = self._one(node, overload, target, args, costs)
            cost = cost.union(one)
            if result is not None:
                size = result if size is None else size.union(result)
            if overload in {"index_list", "index_map"}:
                entries = self._entry(node.args[0])
                size = entries.value if entries else None
                step = "@items" if overload == "index_list" else "@values"
                self._paths[node.id] = (*self._path(node.args[0]), step)
            if size is None:
                size = self.size(node)
        if size is not None:
            self._sizes[node.id] = size
        return cost

    def _part(self, node: Node) -> Part:
        path = self._path(node)
        if path and path[0] in _ACCUMULATORS:
            path = ()
        return Part(path, self._checked.types[node.id], node, self.size(node))

    def _one(
        self, node: ast.Call, overload: str, target: Part | None, args: list[Part],
        costs: list[Range],
    ) -> tuple[Range, Range | None]:  # fmt: skip
        spent = sum(costs, fixed(0))
        found = library_cost.of(node.function, overload, target, args, self._declared)
        if found is not None:
            return found[0] + spent, found[1]
        if overload in {"logical_or", "logical_and"}:
            return Range(costs[0].least, (costs[0] + costs[1]).most), None
        if overload == "conditional":
            return self._conditional(node, args, costs)
        if overload in {"add_string", "add_bytes", "add_list"}:
            return self._add(node, overload, args, spent)
        cost, size = _standard(overload, target, args)
        return cost + spent, size

    def _declared(self, part: Part) -> Range | None:
        return part.size or self.declared_size(part.path)

    def _conditional(
        self, node: ast.Call, args: list[Part], costs: list[Range]
    ) -> tuple[Range, Range | None]:
        entries = self._entry(node.args[1])
        merged = entries.union(self._entry(node.args[2])) if entries else None
        if merged is not None:
            self._entries[node.id] = merged
        size = (args[1].size or UNKNOWN).union(args[2].size or UNKNOWN)
        return costs[0] + costs[1].union(costs[2]), size

    def _add(
        self, node: ast.Call, overload: str, args: list[Part], spent: Range
    ) -> tuple[Range, Range | None]:
        size = (args[0].size or UNKNOWN) + (args[1].size or UNKNOWN)
        entries = self._entry(node.args[0])
        merged = entries.union(self._entry(node.args[1])) if entries else None
        if merged is not None:
            self._entries[node.id] = merged
        cost = ONE if overload == "add_list" else size.scale(_READ)
        return cost + spent, size

    def _copy(self, node: Node, source: Node) -> None:
        size, entries = self.size(source), self._entry(source)
        if size is not None:
            self._sizes[node.id] = size
        if entries is not None:
            self._entries[node.id] = entries

    def _push(self, name: str, local: _Local) -> None:
        self._locals.setdefault(name, []).append(local)

    def _bind(self, node: ast.Loop) -> Range:
        cost = self.cost(node.over) + self.cost(node.start)
        self._push_start(node)
        cost += self.cost(node.result)
        self._locals[node.accumulator].pop()
        self._copy(node, node.result)
        return cost

    def _push_start(self, node: ast.Loop) -> None:
        start = node.start
        local = _Local(self._path(start), self.size(start), self._entry(start))
        self._push(node.accumulator, local)

    def _loop(self, node: ast.Loop) -> Range:
        cost = self.cost(node.over) + self.cost(node.start)
        self._push_start(node)
        self._push_items(node)
        turn = self.cost(node.condition) + self.cost(node.step)
        for name in filter(None, (node.item, node.item2)):
            self._locals[name].pop()
        cost += self.cost(node.result)
        self._locals[node.accumulator].pop()
        times = self._known(node.over)
        self._sized(node, times)
        return cost + times * turn

    def _push_items(self, node: ast.Loop) -> None:
        entries, path = self._entry(node.over), self._path(node.over)
        container = entries.container if entries else self._checked.types[node.over.id].kind
        key = entries.key if entries else None
        value = entries.value if entries else None
        is_list = container == "list"
        if node.item2:
            step = "@indices" if is_list else "@keys"
            self._push(node.item, _Local((*path, step), key, None))
            step = "@items" if is_list else "@values"
            self._push(node.item2, _Local((*path, step), value, None))
        elif is_list:
            self._push(node.item, _Local((*path, "@items"), value, None))
        else:
            self._push(node.item, _Local((*path, "@keys"), key, None))

    def _sized(self, node: ast.Loop, times: Range) -> None:
        if isinstance(node.start, ast.Literal):
            size = self.size(node.start)
            if size is not None:
                self._sizes[node.id] = size
        elif isinstance(node.start, (ast.ListOf, ast.MapOf)):
            self._sizes[node.id] = times
            entries = self._entry(node.step)
            if entries is not None:
                self._entries[node.id] = entries


def _standard(overload: str, target: Part | None, args: list[Part]) -> tuple[Range, Range | None]:
    sizes = [part.size or UNKNOWN for part in args]
    own = (target.size if target else None) or UNKNOWN
    if overload == "string_format":
        return own.scale(_READ), None
    if overload == "string_to_bytes":
        return sizes[0].scale(_READ), Range(sizes[0].least, (sizes[0].most * 4) & MOST)
    if overload == "bytes_to_string":
        return sizes[0].scale(_READ), Range(sizes[0].least // 4, sizes[0].most)
    if overload == "strings_quote":
        quoted = Range(sizes[0].least + 2, (sizes[0].most * 2 + 2) & MOST)
        return sizes[0].scale(_READ), quoted
    if overload in {"starts_with_string", "ends_with_string"}:
        return sizes[0].scale(_READ), None
    if overload == "in_list":
        return sizes[1].scale(1), None
    if overload in {"matches", "matches_string"}:
        text, regex = (own, sizes[0]) if target else (sizes[0], sizes[1])
        return (text + ONE).scale(_READ) * regex.scale(_REGEX), None
    if overload == "contains_string":
        return own.scale(_READ) * sizes[0].scale(_READ), None
    if overload in _COMPARED:
        most = min(sizes[0].most, sizes[1].most)
        return Range(1 if most else 0, most).scale(_READ), None
    return ONE, None


def _is_bind(node: ast.Loop) -> bool:
    return (
        isinstance(node.over, ast.ListOf)
        and not node.over.items
        and isinstance(node.condition, ast.Literal)
        and node.condition.value is False
        and node.accumulator not in _ACCUMULATORS
    )


def _literal_size(node: Node) -> Range | None:
    match node:
        case ast.Literal(value=str() | bytes() as value):
            return fixed(len(value))
        case ast.Literal():
            return fixed(1)
        case ast.ListOf():
            return fixed(len(node.items))
        case ast.MapOf(message=""):
            return fixed(len(node.entries))
    return None


def _is_scalar(kind: Type) -> bool:
    inner, is_optional = types.unwrap(kind)
    return _is_scalar(inner) if is_optional else kind.kind in _SCALAR
