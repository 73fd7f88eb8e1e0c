"""Random schemas, mostly structural, and random values, mostly valid, for hypothesis."""
# ruff: noqa: E501 - one case a line

from typing import Any

from hypothesis import strategies as st

from tests.crdgen.differential.definitions import Schema

NAMES = ("a", "b", "c", "name", "in", "a-b", "namespace")
TEXTS = (
    "", "a", "aa", "b", "abc", "A", "1", "1.5", "1Gi", "10.0.0.1", "10.0.0.0/8", "1h", "1d",
    "2026-01-31T13:00:00Z", "2026-01-31t13:00:00z", "2026-01-31", "é", "a,b", "http://x/y?z=1",
    "1.2.3", "x" * 12, "http://a b", "http://[::1]:80", "http://[::1", "//a", "a:b", "http://a:x", "/a%zz",
    "http://u:p@h/%20", "http://a:80:80", "a b@c", "A <a@b>", "a@b..c", '"a b"@c', "01.2.3.4", "fe80::1%eth0",
    "::ffff:1.2.3.4",
)  # fmt: skip
FORMATS = (
    "date-time", "date", "duration", "byte", "uuid", "ipv4", "ipv6", "cidr", "email", "uri", "uri", "odd",
)  # fmt: skip
PATTERNS = ("^a+$", "a", "^.{1,3}$", r"\d", "(", "(?i)A")
_RULES = {
    "string": (
        "self == 'a'", "self.size() < 3", "self.matches('^a+$')", "self.startsWith('a')",
        "self == oldSelf", "self.lowerAscii() == self", "self in ['a', 'b']", "isURL(self)",
        "isQuantity(self) && quantity(self).isGreaterThan(quantity('1'))", "int(self) > 0",
        "duration(self) > duration('1m')", "self.split(',').all(x, x != '')", "self > 1",
        "isIP(self)", "self.zz == 1", "self.replace('a', 'b') == 'b'", "self.charAt(1) == 'a'",
        "self.find('[a-z]+') == self", "self.contains('a') && self.contains(self)",
        "timestamp(self) < timestamp('2026-06-01T00:00:00Z')", "'%s!'.format([self]) == 'a!'",
    ),
    "integer": (
        "self > 1", "self % 2 == 0", "10 / self > 1", "self + 1 < 5", "string(self) == '1'",
        "self == oldSelf", "self in [1, 2]", "self == 'a'", "double(self) / 2.0 > 0.5",
        "self < 9223372036854775807 - self",
    ),
    "number": ("self > 1.0", "self < 2", "self / 2.0 > 0.5", "int(self) == 1", "self + 1.0 > 2.0"),
    "boolean": ("self", "!self", "self == true", "self ? true : false"),
    "array": (
        "self.size() < 2", "self.all(x, x == self[0])", "self.exists_one(x, x == self[0])",
        "self == oldSelf", "self[0] == self[1]", "self.isSorted()", "self + self == self",
        "self.map(x, x).size() == self.size()", "self.distinct().size() == self.size()",
        "self.all(i, x, i < 2)", "self.indexOf(self[0]) == 0", "self.reverse() == self",
    ),
    "object": (
        "has(self.a)", "has(self.a) && has(self.b)", "self == oldSelf", "self.a == self.b",
        "!has(self.a) || self.a == 'a'", "self.size() > 1", "self.all(k, k != 'a')",
        "self.?a.orValue('') != 'x'", "self.__in__ == 'a'", "self.namespace == 'a'",
        "!has(self.__namespace__) || self.__namespace__ != self.namespace", "self.a__dash__b == self.a__dash__b",
        "'a' in self", "self['a'] == 'a'", "self.exists(k, v, k == v)",
    ),
    "int-or-string": (
        "self == 1 || self == 'a'", "type(self) == int ? self > 1 : true",
        "type(self) == string && self.startsWith('a')", "self == oldSelf", "self < 3",
    ),
}  # fmt: skip


def _optional(keywords: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[Schema]:
    return st.fixed_dictionaries({}, optional=keywords)


def _sized(what: str) -> dict[str, st.SearchStrategy[Any]]:
    return {f"min{what}": st.integers(-1, 2), f"max{what}": st.integers(-1, 4)}


def _rules(kind: str) -> st.SearchStrategy[list[Schema]]:
    rule = st.fixed_dictionaries(
        {"rule": st.sampled_from(_RULES[kind])},
        optional={
            "message": st.sampled_from(["told so", " told so "]),
            "messageExpression": st.sampled_from(["'told ' + 'so'", "string(self)"]),
            "reason": st.sampled_from(["FieldValueForbidden", "FieldValueRequired"]),
        },
    )
    return st.lists(rule, min_size=1, max_size=2)


def _ruled(kind: str, strategy: st.SearchStrategy[Schema]) -> st.SearchStrategy[Schema]:
    return st.one_of(
        strategy,
        st.builds(lambda s, r: s | {"x-kubernetes-validations": r}, strategy, _rules(kind)),
    )


def _strings() -> st.SearchStrategy[Schema]:
    plain = _optional(
        {
            **_sized("Length"),
            "pattern": st.sampled_from(PATTERNS),
            "format": st.sampled_from(FORMATS),
            "enum": st.lists(st.sampled_from(TEXTS), max_size=3),
            "nullable": st.booleans(),
            "default": st.sampled_from(TEXTS),
        }
    )
    return _ruled("string", plain.map(lambda s: {"type": "string"} | s))


def _numbers(kind: str) -> st.SearchStrategy[Schema]:
    bounds: st.SearchStrategy[Any] = st.integers(-2, 5)
    if kind == "number":
        bounds = st.one_of(bounds, st.sampled_from([0.5, 1.5, -2.5]))
    plain = _optional(
        {
            "minimum": bounds,
            "maximum": bounds,
            "exclusiveMinimum": st.booleans(),
            "exclusiveMaximum": st.booleans(),
            "multipleOf": st.sampled_from([2, 1, 0.5]),
            "enum": st.lists(bounds, max_size=3),
            "format": st.sampled_from(["int32", "int64", "double", "odd"]),
            "default": bounds,
            "nullable": st.booleans(),
        }
    )
    return _ruled(kind, plain.map(lambda s: {"type": kind} | s))


def _booleans() -> st.SearchStrategy[Schema]:
    plain = _optional({"default": st.booleans(), "nullable": st.booleans()})
    return _ruled("boolean", plain.map(lambda s: {"type": "boolean"} | s))


def _either() -> st.SearchStrategy[Schema]:
    plain = _optional(
        {
            "pattern": st.sampled_from(PATTERNS[:3]),
            "maximum": st.integers(0, 5),
            "maxLength": st.integers(0, 3),
            "default": st.sampled_from([1, "a"]),
        }
    )
    return _ruled("int-or-string", plain.map(lambda s: {"x-kubernetes-int-or-string": True} | s))


def _lists(items: st.SearchStrategy[Schema]) -> st.SearchStrategy[Schema]:
    more = _optional(
        {
            **_sized("Items"),
            "x-kubernetes-list-type": st.sampled_from(["atomic", "set", "set"]),
            "nullable": st.booleans(),
        }
    )
    plain = st.builds(lambda item, s: {"type": "array", "items": item} | s, items, more)
    return _ruled("array", plain)


def _keyed(items: st.SearchStrategy[Schema]) -> st.SearchStrategy[Schema]:
    def build(value: Schema, keys: list[str], more: Schema) -> Schema:
        item = {
            "type": "object",
            "required": ["name"],
            "properties": {"name": {"type": "string"}, "b": {"type": "integer"}, "c": value},
        }
        return {
            "type": "array",
            "items": item,
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": keys,
        } | more

    keys = st.sampled_from([["name"], ["name"], ["name", "b"], ["zz"]])
    return _ruled("array", st.builds(build, items, keys, _optional(_sized("Items"))))


def _objects(fields: st.SearchStrategy[Schema]) -> st.SearchStrategy[Schema]:
    more = _optional(
        {
            "required": st.lists(st.sampled_from(NAMES), max_size=2),
            "x-kubernetes-preserve-unknown-fields": st.just(value=True),
            "x-kubernetes-map-type": st.sampled_from(["atomic", "granular"]),
            "default": st.sampled_from([{}, {"a": "a"}, {"zz": 1}]),
            "anyOf": _branches(),
            "oneOf": _branches(),
            "not": _branch(),
            **_sized("Properties"),
        }
    )
    properties = st.dictionaries(st.sampled_from(NAMES), fields, max_size=4)
    plain = st.builds(lambda p, s: {"type": "object", "properties": p} | s, properties, more)
    return _ruled("object", plain)


def _branch() -> st.SearchStrategy[Schema]:
    return _optional(
        {
            "required": st.lists(st.sampled_from(NAMES[:3]), min_size=1, max_size=2),
            "properties": st.dictionaries(
                st.sampled_from(NAMES[:3]),
                st.sampled_from(
                    [{"enum": ["a"]}, {"minLength": 2}, {"maximum": 2}, {"type": "string"}]
                ),
                max_size=1,
            ),
        }
    )


def _branches() -> st.SearchStrategy[list[Schema]]:
    return st.lists(_branch(), min_size=1, max_size=3)


def _maps(values: st.SearchStrategy[Schema]) -> st.SearchStrategy[Schema]:
    plain = st.builds(
        lambda v, s: {"type": "object", "additionalProperties": v} | s,
        values,
        _optional(_sized("Properties")),
    )
    return _ruled("object", plain)


def schemas() -> st.SearchStrategy[Schema]:
    """A schema for one field."""
    scalars = st.one_of(_strings(), _numbers("integer"), _numbers("number"), _booleans(), _either())
    odd = st.sampled_from(
        [
            {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
            {"x-kubernetes-preserve-unknown-fields": True},
            {},
            {"type": "array"},
            {"type": "string", "uniqueItems": True},
        ]
    )
    return st.recursive(
        st.one_of(scalars, scalars, scalars, scalars, odd),
        lambda inner: st.one_of(_lists(inner), _keyed(inner), _objects(inner), _maps(inner)),
        max_leaves=5,
    )


_ANY = st.recursive(
    st.one_of(
        st.sampled_from(TEXTS), st.integers(-3, 6), st.booleans(), st.none(),
        st.sampled_from([0.5, 1.0, 1.5, 2.0, 9007199254740993, 2**31]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from((*NAMES, "zz")), inner, max_size=3)
    ),
    max_leaves=4,
)  # fmt: skip


_NAMED = st.sampled_from(
    ["a", "a.b/c", "x y/z", "", "A/b", "orphan", "foregroundDeletion", "/a", "a" * 64]
)


def _some(keywords: dict[str, list[Any]], number: int) -> st.SearchStrategy[list[Any]]:
    each = _optional({name: st.sampled_from(found) for name, found in keywords.items()})
    return st.lists(each, max_size=number)


def metadata() -> st.SearchStrategy[dict[str, Any]]:
    """Object metadata, valid in most of its parts."""
    owners: dict[str, list[Any]] = {
        "apiVersion": ["v1", "a/v1", "a/b/c", ""], "kind": ["Pod", "Event"], "name": ["a", ""],
        "uid": ["u"], "controller": [False, True], "blockOwnerDeletion": [True],
    }  # fmt: skip
    managers: dict[str, list[Any]] = {
        "operation": ["Apply", "Update", "Foo"],
        "manager": ["x", "x" * 129],
    }
    return _optional(
        {
            "labels": st.dictionaries(
                _NAMED, st.sampled_from(["", "a", "c d", "x" * 64]), max_size=2
            ),
            "annotations": st.dictionaries(_NAMED, st.sampled_from(["", "a b"]), max_size=2),
            "finalizers": st.lists(_NAMED, max_size=2),
            "ownerReferences": _some(owners, 2),
            "managedFields": _some(managers, 1),
            "generation": st.integers(-1, 2),
            "generateName": st.sampled_from(["a-", "A-"]),
            "creationTimestamp": st.sampled_from(["2026-01-31T13:00:00Z", "yesterday", None]),
        }
    )


@st.composite
def values(draw: st.DrawFn, schema: Schema) -> Any:
    """A value for `schema`: of its shape mostly, anything at times."""
    if draw(st.integers(0, 11)) == 0:
        return draw(_ANY)
    if schema.get("x-kubernetes-int-or-string"):
        return draw(st.one_of(st.integers(0, 6), st.sampled_from(TEXTS)))
    if schema.get("enum") and draw(st.booleans()):
        return draw(st.sampled_from(schema["enum"]))
    kind = schema.get("type")
    if kind == "array":
        return draw(st.lists(values(schema["items"]), max_size=4))
    if kind == "object":
        return draw(_mapping(schema))
    simple = {
        "string": st.sampled_from(TEXTS),
        "integer": st.integers(-2, 6),
        "number": st.one_of(st.integers(-2, 6), st.sampled_from([0.5, 1.5, 2.0])),
        "boolean": st.booleans(),
    }
    return draw(simple.get(str(kind), _ANY))


@st.composite
def _mapping(draw: st.DrawFn, schema: Schema) -> dict[str, Any]:
    found = {}
    for name, child in schema.get("properties", {}).items():
        if name in schema.get("required", ()) or draw(st.booleans()):
            found[name] = draw(values(child))
    extra = schema.get("additionalProperties")
    if isinstance(extra, dict):
        for name in draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=3)):
            found[name] = draw(values(extra))
    if draw(st.integers(0, 9)) == 0:
        found["zz"] = draw(_ANY)
    return found
