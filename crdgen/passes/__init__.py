"""From pydantic's JSON schema to a structural one: small passes, one idea each, in one order.

`assemble` calls `structural`. Each pass takes a schema node and its path and gives the node back
changed; `walk.rewrite` applies it to every node, children first. A place that no pass could make
structural is refused by the last one with its path, never emitted.
"""

from functools import partial

from crdgen.marks import Schema
from crdgen.options import Options
from crdgen.passes import (
    bounds,
    inline,
    keywords,
    listing,
    literal,
    mapping,
    nullable,
    pattern,
    permitted,
    refusal,
    union,
)
from crdgen.passes.walk import rewrite

_PASSES = (
    nullable.optional,
    literal.const_as_enum,
    bounds.exclusive_as_flag,
    listing.set_as_list_type,
    listing.tuple_as_list,
    union.hoist,
    literal.nullable_enum_as_rule,
    mapping.keys_as_rule,
    mapping.open_as_preserved,
    pattern.as_re2,
    keywords.known,
)


def structural(schema: Schema, options: Options) -> Schema:
    """The structural schema of `schema`, which carries its `$defs`.

    Raises:
        NotStructuralError: names every field that has none.
    """
    node = inline.references(schema, options.depth)
    node = rewrite(node, partial(permitted.only, options=options))
    for visit in _PASSES:
        node = rewrite(node, visit)
    if not options.descriptions:
        node = rewrite(node, keywords.undescribed)
    refusal.of(node)
    return node
