"""Hand-made CEL rules, good and bad, on a schema that has a field of every kind.

`FIELDS` is that schema; each rule stands on it, so `self.s` is a string and so on.
"""
# ruff: noqa: E501 - one case a line

from collections.abc import Iterator
from typing import Any

from tests.crdgen.differential.definitions import (
    ANYTHING,
    BOOLEAN,
    EITHER,
    EMBEDDED,
    FEW_LABELS,
    INTEGER,
    KEYED,
    LABELS,
    NUMBER,
    PAIR,
    SHORT,
    SHORTS,
    STRING,
    STRINGS,
    Schema,
)

FIELDS: Schema = {
    "type": "object",
    "properties": {
        "s": SHORT, "long": STRING, "i": INTEGER, "n": NUMBER, "t": BOOLEAN, "e": EITHER,
        "o": PAIR, "l": SHORTS, "longs": STRINGS, "m": FEW_LABELS, "labels": LABELS,
        "k": KEYED | {"maxItems": 5}, "x": ANYTHING, "emb": EMBEDDED,
        "set": SHORTS | {"x-kubernetes-list-type": "set"},
        "ints": {"type": "array", "maxItems": 9, "items": INTEGER},
        "date": {"type": "string", "format": "date-time"},
        "day": {"type": "string", "format": "date"},
        "dur": {"type": "string", "format": "duration"},
        "bytes": {"type": "string", "format": "byte", "maxLength": 20},
        "any": {"x-kubernetes-preserve-unknown-fields": True},
        "nest": {"type": "array", "maxItems": 3, "items": SHORTS},
        "null": STRING | {"nullable": True},
        "a-b": SHORT, "in": SHORT, "namespace": SHORT, "if": SHORT, "9x": SHORT, "a.b": SHORT, "__u": SHORT,
    },
}  # fmt: skip

GOOD = r"""
self.s == 'a'
self.s != self.long
self.i > 1 && self.n < 2.0
self.i + 1 < 10 || !self.t
self.i < 1.5
self.n > 1
self.e == 1 || self.e == 'x'
type(self.e) == int ? self.e > 1 : self.e.startsWith('x')
type(self.s) == string
has(self.s) && !has(self.o.a)
self.o.a == self.o.a
self.o == self.o
self.l.all(x, x.size() < 5)
self.l.exists(x, x == 'a')
self.l.exists_one(x, x == 'a')
self.l.map(x, x + 'b').size() == 1
self.l.map(x, x != '', x.size()).sum() < 10
self.l.filter(x, x.startsWith('a')).size() > 0
self.m.all(k, self.m[k] != '')
'a' in self.m
'a' in self.l
self.m.size() < 5
size(self.l) == 0
self.l[0] == 'a'
self.m['a'] == 'b'
self.k.all(x, x.name != '')
self.k.all(x, x.port > 0)
self.k.map(x, x.name).isSorted()
self.set + ['a'] == self.set
self.ints.sum() == 3 && self.ints.max() > 1 && self.ints.min() == 0
self.ints.isSorted()
self.l.indexOf('a') == 0 && self.l.lastIndexOf('a') == 0
self.s.matches('^a+$')
matches(self.s, 'a')
self.s.contains('a') && self.s.endsWith('b')
self.s.charAt(0) == 'a' && self.s.indexOf('a') == 0 && self.s.lastIndexOf('a', 1) == 0
self.s.lowerAscii() == self.s.upperAscii()
self.s.replace('a', 'b') == 'b' && self.s.replace('a', 'b', 1) == 'b'
self.s.split(',').size() < 3 && self.s.split(',', 2).join('-') == 'x'
self.s.substring(1) == 'b' && self.s.substring(0, 1) == 'a' && self.s.trim() == 'a'
'%s-%d'.format([self.s, self.i]) == 'x'
strings.quote(self.s) == '"a"'
self.s.find('[a-z]+') == 'a' && self.s.findAll('[a-z]').size() > 0
self.date < timestamp('2026-01-01T00:00:00Z')
self.date.getFullYear() > 2000
self.date - timestamp('2026-01-01T00:00:00Z') > duration('1h')
self.date + duration('1h') > self.date
self.day > timestamp('2026-01-01T00:00:00Z')
self.dur < duration('1h')
self.dur.getSeconds() > 3
duration(self.s) > duration('0s')
timestamp(self.s) > timestamp('2026-01-01T00:00:00Z')
self.bytes == b'abc'
self.bytes.size() > 1
int(self.s) > 1 && double(self.s) > 1.0 && string(self.i) == '1' && uint(self.i) == 1u
dyn(self.s) == dyn(1)
self.?s.orValue('') == ''
self.?o.?a.hasValue()
self.m[?'a'].orValue('') == ''
self.l[?0].orValue('') == ''
self.?o.a.orValue('x') == 'x'
optional.of(self.s).value() == 'a'
self.?s.optMap(x, x.size()).orValue(0) == 0
self.?s.optFlatMap(x, optional.of(x)).orValue('') == ''
optional.none().hasValue() || true
[1, 2].all(x, x > 0)
{'a': 1}['a'] == 1
{'a': self.i}.all(k, k != '')
self.l.all(i, x, i < 3 && x != '')
self.m.exists(k, v, k == v)
self.m.existsOne(k, v, k == v)
self.l.transformList(i, x, x + string(i)).size() > 0
self.m.transformMap(k, v, v.size()).size() > 0
self.m.transformMapEntry(k, v, {v: k}).size() > 0
sets.contains(self.l, ['a']) && sets.equivalent(self.l, ['a']) && sets.intersects(self.l, ['a'])
quantity(self.s).isGreaterThan(quantity('1')) && isQuantity(self.s)
quantity('1Ki').add(quantity('1')).compareTo(quantity('2')) > 0
quantity('1').asInteger() == 1 && quantity('1').sign() == 1 || true
url(self.s).getHost() == 'x' && isURL(self.s)
ip(self.s).family() == 4 && isIP(self.s) && ip.isCanonical(self.s)
cidr(self.s).containsIP('10.0.0.1') && isCIDR(self.s) && cidr(self.s).ip().family() == 4
cidr('10.0.0.0/8').containsCIDR(cidr('10.1.0.0/16')) && cidr('10.0.0.0/8').masked().prefixLength() == 8
string(ip('10.0.0.1')) == '10.0.0.1'
semver(self.s).isLessThan(semver('1.0.0')) && isSemver(self.s) && semver(self.s, true).major() == 1
!format.dns1123Label().validate(self.s).hasValue()
format.named('dns1123Label').hasValue()
self.l.sort() == self.l && self.l.reverse() == self.l && self.l.distinct() == self.l
self.nest.flatten() == self.l
self.l.slice(0, 1) == self.l
lists.range(3) == [0, 1, 2]
self.k.sortBy(x, x.name).size() == 1
self.emb.metadata.name == 'x' && self.emb.kind == 'y' && self.emb.apiVersion == 'z'
self.namespace == self.__namespace__ && has(self.namespace)
self.if == '' || self.__if__ == 'a'
has(self.if) && has(self.__namespace__)
self.a__dash__b == '' && self.__in__ == '' && self.a__dot__b == '' && self.__underscores__u == ''
self.null == null || self.null == 'x'
self.o != null
self == oldSelf
self.s == oldSelf.s
!has(oldSelf.s) || self.s == oldSelf.s
self.s in ['a', 'b']
self.i in [1, 2]
true
'a' < 'b'
self.s == 'é' || self.s == "it's" || self.s == '''x'''
1 + 2 == 3 // a comment
self.i % 2 == 0 && self.i / 2 == 1 && -self.i < 0
self.x == self.x
self.date == self.date
self.nest.all(x, x.all(y, y != ''))
"""

BAD = r"""
self.zz == 1
self.s == 1
self.s + 1 == 'a'
self.i == 'a'
self.s
self.i
'text'
self.
self.s ==
(self.s == 'a'
self.s == 'a' self.i == 1
zz == 1
self.s.zz()
self.s.matches()
self.s.matches('(')
matches(self.s, 'a{1,1001}')
duration('1d') > duration('0s')
timestamp('x') > timestamp('y')
now() > self.date
self.l.all(x, x > 1)
self.l.all(self.s, true)
self.l.all(x, y, z, true)
self.s.all(x, true)
self.i.size() == 1
self.l[self.s] == 'a'
self.m[1] == 'a'
1 in self.l
'a' in self.s
[1, 'a'].size() == 2
{'a': 1, 'b': 'x'}.size() == 2
[self.s, self.i].size() == 2
self.in == 'x'
self.a-b == 'x'
self.`a-b` == 'x'
self['s'] == 'x'
self.x.foo == 1
self.any == 1
self.emb.spec == 1
self.emb.metadata.labels.size() == 1
self.l == null
self.s == null
oldSelf.zz == 1
self.l.existsOne(x, x)
self.l.includes('a')
self.o.all(x, true)
Foo{a: 1} == Foo{a: 1}
self.?zz.hasValue()
self.s.?x.hasValue()
[1] + ['a'] == [1]
self.s ? true : false
self.t ? 1 : 'a'
!self.s
-self.s == 1
1 && true
self.dur > 1
self.date > '2026-01-01T00:00:00Z'
cel.bind(x, self.s, x == 'a')
math.greatest(1, 2) == 2
base64.encode(b'x') == 'x'
self.s.reverse() == 'a'
url(self.s) == self.s
self.bytes == 'abc'
'\q' == 'a'
"a
authorizer.path('/x').check('get').allowed()
self.n % 2.0 == 0.0
self.namespace == 'x'
package == 'x'
self.k.all(x, x.zz)
request.name == 'x'
"""

COSTLY = r"""
self.long.matches('^a+$')
self.longs.all(x, x.matches('^a+$'))
self.longs.all(x, self.longs.all(y, x == y))
self.longs.all(x, self.longs.all(y, self.longs.all(z, x == y)))
self.labels.all(k, self.labels[k].matches('^a+$'))
self.longs.map(x, x + 'a').size() == 1
self.long.contains(self.long)
self.long.split(',').all(x, x.size() > 1)
self.long.replace('a', 'bbbb').size() > 1
self.long.replace('', 'bbbb').contains(self.long)
self.longs.isSorted()
self.longs.join(',').size() > 1
self.longs.join(',').matches('^a+$')
self.l.all(x, self.l.all(y, self.l.all(z, x == y && y == z)))
self.long == self.long
self.longs == self.longs
self.labels == self.labels
self.longs.distinct().size() == 1
self.l.distinct().size() == 1
self.longs.sort().size() == 1
self.longs.reverse() == self.longs
self.longs.exists_one(x, x.find('a+') == 'a')
self.nest.all(x, x.all(y, x.all(z, y.matches(z))))
self.long.findAll('a').all(x, x.size() == 1)
(self.t ? self.long : self.s).matches('a')
self.longs.filter(x, x.size() > 3).map(x, x.size()).sum() > 1
self.longs.transformList(i, x, x.matches('a')).all(x, x)
self.labels.transformMap(k, v, v.matches('a')).all(k, v, v)
quantity(self.long).isGreaterThan(quantity('1'))
self.longs.all(x, isQuantity(x))
self.longs.all(x, ip(x).family() == 4)
self.longs.all(x, url(x).getHost() == 'a')
self.longs.all(x, !format.dns1123Label().validate(x).hasValue())
self.long.lowerAscii().upperAscii().trim().matches('a')
self.longs.indexOf('a') > 1
self.longs.all(x, x in self.longs)
self.longs + self.longs == self.longs
self.longs.slice(0, 5).all(x, x.matches('a'))
self.longs.all(x, x.startsWith('abc') && x.endsWith('xyz') && x.contains('mid'))
self.longs.sortBy(x, x).size() > 1
'%s'.format([self.long]) == 'x'
sets.contains(self.longs, self.longs)
sets.equivalent(self.longs, ['a'])
self.any == self.any
self.e == self.e
[self.long, self.s].all(x, x.matches('a'))
{'a': self.long}.all(k, v, v.matches('a'))
self.?long.orValue('').matches('a')
self.?long.optMap(x, x.matches('a')).orValue(true)
lists.range(1000000).all(x, x > 0)
self.long.substring(1).charAt(2) == 'x'
string(self.bytes).size() > 1
bytes(self.long).size() > 1
self.date == self.date && self.dur == self.dur
self.k.all(x, self.k.all(y, x.name == y.name))
self.longs.size() > 1 && self.labels.size() > 1
has(self.long) && has(self.o.a)
"""


def lines(text: str) -> list[str]:
    """The rules in one of the texts above."""
    return [line for line in text.splitlines() if line]


def definitions() -> Iterator[tuple[str, dict[str, Any]]]:
    """A schema for `.spec` for each rule."""
    for text in (GOOD, BAD, COSTLY):
        for rule in lines(text):
            yield f"rule {rule}", FIELDS | {"x-kubernetes-validations": [{"rule": rule}]}
    yield from _shapes()
    yield from _transitions()


def _with(**rule: Any) -> Schema:
    return FIELDS | {"x-kubernetes-validations": [rule]}


def _shapes() -> Iterator[tuple[str, Schema]]:
    yield "rule empty", _with(rule="")
    yield "rule blank", _with(rule="  ")
    yield "rule on two lines without message", _with(rule="true &&\ntrue")
    yield "rule on two lines with message", _with(rule="true &&\ntrue", message="m")
    yield "message blank", _with(rule="true", message="  ")
    yield "message on two lines", _with(rule="true", message="a\nb")
    yield "messageExpression", _with(rule="true", messageExpression="'a' + self.s")
    yield "messageExpression not text", _with(rule="true", messageExpression="self.i")
    yield "messageExpression broken", _with(rule="true", messageExpression="self.")
    yield "messageExpression blank", _with(rule="true", messageExpression=" ")
    yield (
        "messageExpression costly",
        _with(rule="true", messageExpression="self.longs.map(x, x + x).join(',')"),
    )
    yield "messageExpression with a broken rule", _with(rule="self.", messageExpression="self.")
    for reason in ("FieldValueInvalid", "FieldValueForbidden", "Odd", ""):
        yield f"reason {reason}", _with(rule="true", reason=reason)
    for path in (".s", "s", ".zz", ".o.a", ".m['x']", ".l[0]", ".k", ".['s']", "['s']", "", " ",
                 ".o.", ".a-b", ".m.x", ".o['a']", ".o['z']", ".labels['it\\'s']"):  # fmt: skip
        yield f"fieldPath {path!r}", _with(rule="true", fieldPath=path)
    yield "unknown field in a rule", _with(rule="true", colour="red")
    yield "optionalOldSelf", _with(rule="oldSelf.hasValue()", optionalOldSelf=True)
    yield "optionalOldSelf false", _with(rule="self == oldSelf", optionalOldSelf=False)
    yield "optionalOldSelf unused", _with(rule="true", optionalOldSelf=True)
    yield "optionalOldSelf unused false", _with(rule="true", optionalOldSelf=False)
    yield "optionalOldSelf as plain", _with(rule="oldSelf.s == 'a'", optionalOldSelf=True)


def _transitions() -> Iterator[tuple[str, Schema]]:
    rule = {"x-kubernetes-validations": [{"rule": "self == oldSelf"}]}
    item: Schema = KEYED["items"]
    for what, schema in (
        ("a string", STRING | rule),
        ("a list", STRINGS | rule),
        ("items of a list", {"type": "array", "items": STRING | rule}),
        ("items of a set", {"type": "array", "x-kubernetes-list-type": "set", "items": STRING | rule}),
        ("items of a list map", KEYED | {"items": item | rule}),
        ("a field in a list map", KEYED | {"items": item | {"properties": {"name": STRING | rule}}}),
        ("values of a map", {"type": "object", "additionalProperties": STRING | rule}),
        ("a field of an atomic map", PAIR | {"x-kubernetes-map-type": "atomic", "properties": {"a": STRING | rule}}),
        ("deep under a list", {"type": "array", "items": {"type": "object", "properties": {"b": STRING | rule}}}),
    ):  # fmt: skip
        yield f"oldSelf on {what}", {"type": "object", "properties": {"a": schema}}
    costly = {"x-kubernetes-validations": [{"rule": "self.matches('^a+$')"}]}
    for most in (1, 100, 10_000, 1_000_000):
        bounded = {"type": "array", "maxItems": most, "items": SHORT | costly}
        yield f"rule on items up to {most}", {"type": "object", "properties": {"a": bounded}}
    many = {
        f"f{n}": STRING | {"x-kubernetes-validations": [{"rule": "self.matches('a')"}] * 10}
        for n in range(15)
    }
    yield "many rules", {"type": "object", "properties": many}
    two = {"type": "array", "maxItems": 100, "items": {"type": "object", "maxProperties": 100,
           "additionalProperties": SHORT | costly}}  # fmt: skip
    yield "rule below two bounds", {"type": "object", "properties": {"a": two}}
