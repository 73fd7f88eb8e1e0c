"""Command text: a rule's body with its bounds and labels, as an idempotent append.

The text is upstream's, with ingest-by tags added (design, sections 7 and 9).
"""

import re
from collections.abc import Mapping
from typing import Final

from summaryrule.v1 import SummaryRuleSpec
from summaryrule.windows import Window

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
_MARKS: Final = "\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"
_LINE_END: Final = re.compile("[\r\n\u0085\u2028\u2029]")
_GO_ESCAPES: Final = {
    "\a": r"\a", "\b": r"\b", "\f": r"\f", "\n": r"\n", "\r": r"\r", "\t": r"\t", "\v": r"\v",
    '"': r"\"", "\\": r"\\",
}  # fmt: skip


def command(spec: SummaryRuleSpec, window: Window, labels: Mapping[str, str], *, token: str) -> str:
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
        f".set-or-append async {quote(spec.table)} with ({properties}) <| "
        f"{bind(spec.body, window, labels)}"
    )


def bind(body: str, window: Window, labels: Mapping[str, str]) -> str:
    """The body behind ``let`` lines for its bounds and labels (upstream's ApplySubstitutions)."""
    lines = [
        f"let _startTime=datetime({window.start});",
        f"let _endTime=datetime({window.query_end});",
    ]
    for key in sorted(labels, key=str.encode):
        name = key if key.startswith("_") else f"_{key}"
        lines.append(f"let {name}={_go_quote(labels[key])};")
    return "\n".join([*lines, body.strip()])


def quote(name: str) -> str:
    """A table's name as KQL takes it: bare where it is a plain identifier, else ``['…']``."""
    if _PLAIN.fullmatch(name) and name.lower() not in _RESERVED:
        return name
    escaped = name.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")
    return f"['{escaped}']"


def first_code(body: str) -> str:
    """The body from its first character of code on; empty where there is only white space.

    White space, comments, zero-width characters, stray semicolons and every kind of line end
    are passed over, so that nothing hides in front of a management command.
    """
    rest = body
    while True:
        trimmed = rest.strip().strip(_MARKS + ";").strip()
        if trimmed.startswith("//"):
            parts = _LINE_END.split(trimmed, maxsplit=1)
            trimmed = parts[1] if len(parts) > 1 else ""
        if trimmed == rest:
            return rest
        rest = trimmed


def _go_quote(value: str) -> str:
    return '"' + "".join(_go_escape(character) for character in value) + '"'


def _go_escape(character: str) -> str:
    if character in _GO_ESCAPES:
        return _GO_ESCAPES[character]
    if character.isprintable():
        return character
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x80 else f"\\u{code:04x}"  # noqa: PLR2004 - ASCII
