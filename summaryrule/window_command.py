"""The Kusto command of a window: an idempotent append of the body with its bounds and labels.

The text is that of adx-mon, with ingest-by tags added. Kusto drops an append whose tag is in the
table already (Kusto docs, "Ingestion properties", ``ingestIfNotExists``).
"""

from collections.abc import Mapping

from summaryrule.api.v1 import SummaryRuleSpec
from summaryrule.api.windows import Window
from summaryrule.kql import go_quote, quote_name


def append_command(
    spec: SummaryRuleSpec, window: Window, labels: Mapping[str, str], *, token: str
) -> str:
    """The command that appends the result of one window, asynchronously.

    Args:
        spec: the rule's spec; the table gets brackets if KQL needs them.
        window: half-open; ``_endTime`` is its last tick.
        labels: cluster labels; each is the string variable ``_<label>``, in byte order of the keys.
        token: the ingest-by token.
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
    """The body after ``let`` lines for its bounds and labels (adx-mon's ApplySubstitutions)."""
    lines = [
        f"let _startTime=datetime({window.start});",
        f"let _endTime=datetime({window.query_end});",
    ]
    for key in sorted(labels, key=str.encode):
        name = key if key.startswith("_") else f"_{key}"
        lines.append(f"let {name}={go_quote(labels[key])};")
    return "\n".join([*lines, body.strip()])
