"""Command text: a rule's body with its bounds and labels, as an idempotent append.

The text is upstream's, with ingest-by tags added (design, sections 7 and 9).
"""

import re
from collections.abc import Mapping
from typing import Final

from summaryrule.api.v1 import SummaryRuleSpec
from summaryrule.api.windows import Window

_PLAIN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_RESERVED: Final = frozenset(  # a bare one would be read as KQL
    """
    and as asc between bool by contains count database datetime dec decimal declare desc
    distinct double dynamic endswith evaluate extend external_table false find float
    from fork getschema guid has hasprefix hassuffix in int invoke join kind let limit
    long lookup long make materialize mvexpand not null of on or order parse partition
    pattern print project range real reduce render restrict sample scan search serialize
    set sort startswith stored string summarize table take time timespan to top toscalar
    true union uuid view where with
    """.split()  # noqa: SIM905 - a list of 80 literals reads worse
)
# White space in Unicode's sense, what is invisible, stray semicolons, and comments to any line end.
_INVISIBLE: Final = (
    "\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff"
)
_BEFORE_CODE: Final = re.compile(
    rf"(?:[\s\x00-\x1f\x7f-\x9f;{_INVISIBLE}]++|//[^\r\n\v\f\x1c-\x1e\x85\u2028\u2029]*+)*+"
)


def append_command(
    spec: SummaryRuleSpec, window: Window, labels: Mapping[str, str], *, token: str
) -> str:
    """The async append of one window.

    Args:
        spec: the rule's spec; its table is bracketed where KQL needs it.
        window: half-open; ``_endTime`` is its last tick.
        labels: cluster labels, bound as ``_<label>`` strings in byte order of their raw keys.
        token: the ingest-by token; Kusto drops a repeat with the same one.
    """
    properties = (
        f"""extend_schema=true, tags='["ingest-by:{token}"]', ingestIfNotExists='["{token}"]', """
        f"creationTime='{window.end}'"
    )
    return (
        f".set-or-append async {quote_name(spec.table)} with ({properties}) <| "
        f"{bind_variables(spec.body, window, labels)}"
    )


def bind_variables(body: str, window: Window, labels: Mapping[str, str]) -> str:
    """The body behind ``let`` lines for its bounds and labels (upstream's ApplySubstitutions)."""
    lines = [
        f"let _startTime=datetime({window.start});",
        f"let _endTime=datetime({window.query_end});",
    ]
    for key in sorted(labels, key=str.encode):
        name = key if key.startswith("_") else f"_{key}"
        lines.append(f"let {name}={go_quote(labels[key])};")
    return "\n".join([*lines, body.strip()])


def quote_name(name: str) -> str:
    """A table's name as KQL takes it: bare where it is a plain identifier, else ``['…']``."""
    if _PLAIN.fullmatch(name) and name.lower() not in _RESERVED:
        return name
    escaped = name.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")
    return f"['{escaped}']"


def first_code(body: str) -> str:
    """The body from its first character of code on; empty where there is none.

    White space, comments, invisible characters, stray semicolons and every kind of line end are
    passed over, so that nothing hides in front of a management command. Takes linear time.
    """
    before = _BEFORE_CODE.match(body)
    return body[before.end() :] if before else body


_SHORT: Final = {
    '"': '\\"', "\\": "\\\\", "\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r",
    "\t": "\\t", "\v": "\\v",
}  # fmt: skip


def go_quote(text: str) -> str:
    r"""Give the text in quotes, with nothing in it that would end them or the line.

    >>> print(quoted('"é"\n\x13'))
    "\"é\"\n\x13"
    """
    if text.isascii() and text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'
    return '"' + "".join(map(_escape, text)) + '"'


def _escape(character: str) -> str:
    if character in _SHORT:
        return _SHORT[character]
    if character.isprintable():
        return character
    code = ord(character)
    if code < 0x80:  # noqa: PLR2004 - ASCII
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"  # noqa: PLR2004 - two bytes
