"""From pydantic's JSON schema to a structural one: small passes, one idea each, in one order.

Each pass takes a schema node and its path and returns the changed node; `walk.rewrite` applies it
to every node, children first. The last pass refuses what is not structural, with its path.
"""

from functools import partial

from crdgen.options import Options
from crdgen.passes import containers, inline, keywords, scalars, unions
from crdgen.passes.walk import rewrite
from crdgen.schema_keywords import Schema

_PASSES = (
    containers.sort_set_defaults,
    scalars.drop_null_branch,
    scalars.const_as_enum,
    scalars.late_constraints,
    scalars.exclusive_as_flag,
    scalars.bounds_as_floats,
    scalars.fractions_as_rules,
    scalars.require_re2,
    keywords.refuse_unsupported,
    containers.tuple_as_list,
    unions.merge_union,
    containers.set_as_list_type,
    scalars.nullable_enum_as_rule,
    containers.keys_as_rule,
    containers.open_as_preserved,
    keywords.keep_known,
)


def structural(schema: Schema, options: Options) -> Schema:
    """The structural schema of `schema`, which carries its `$defs`.

    Raises:
        NotStructuralError: names every field that has none.
    """
    node = inline.inline_references(schema, options.depth)
    node = rewrite(node, partial(keywords.apply_options, options=options))
    for visit in _PASSES:
        node = rewrite(node, visit)
    if not options.descriptions:
        node = rewrite(node, keywords.drop_description)
    keywords.require_structural(node)
    return node
