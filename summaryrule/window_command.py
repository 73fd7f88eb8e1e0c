"""The Kusto command of a window: an idempotent append of the body with its bounds and labels.

The text is that of adx-mon, with extent tags added. Kusto drops an append whose ingest-by tag is in
the table already (Kusto docs, "Ingestion properties", ``ingestIfNotExists``). In mode Replace an
append also has a drop-by tag, which names the window and the run. Extents with different drop-by
tags are never merged (Kusto docs, "Extent tags"), so the rows of a run can be dropped alone.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from summaryrule.api.instant import Instant
from summaryrule.api.v1 import SummaryRule
from summaryrule.api.validation_rules import read_instant
from summaryrule.api.windows import Window
from summaryrule.kql import go_quote, quote_name

INGEST_BY: Final = "ingest-by:"
"""The beginning of a tag that Kusto checks before it appends (Kusto docs, "Extent tags")."""


def ingest_tag(token: str) -> str:
    """The ingest-by tag of a token."""
    return f"{INGEST_BY}{token}"


def append_command(
    rule: SummaryRule,
    window: Window,
    labels: Mapping[str, str],
    *,
    token: str,
    replaces: bool,
    table: str | None = None,
) -> str:
    """The command that appends the result of one window, asynchronously.

    Args:
        rule: the rule.
        window: half-open; ``_endTime`` is its last tick.
        labels: cluster labels; each is the string variable ``_<label>``, in byte order of the keys.
        token: the ingest-by token.
        replaces: whether the run has a drop-by tag, as in mode Replace.
        table: the table, if not that of the rule; it gets brackets if KQL needs them.
    """
    tags = f'"{ingest_tag(token)}"'
    if replaces:
        tags += f', "{run_tag(rule, window.start, token)}"'
    properties = (
        f"""extend_schema=true, tags='[{tags}]', ingestIfNotExists='["{token}"]', """
        f"creationTime='{window.end}'"
    )
    return (
        f".set-or-append async {quote_name(table or rule.spec.table)} with ({properties}) <| "
        f"{bind_variables(rule.spec.body, window, labels)}"
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


class RunTag(NamedTuple):
    """A drop-by tag: one run of one window of a rule; ``run`` is the token of the append.

    It has the rule's name and not its UID, so that a rule that is deleted and created again
    replaces the rows of its windows.
    """

    namespace: str
    name: str
    start: Instant
    run: str

    def __str__(self) -> str:
        return f"{self.window_prefix}{self.run}"

    @property
    def window_prefix(self) -> str:
        """The beginning of the tags of each run of this window."""
        return f"drop-by:summaryrule/{self.namespace}/{self.name}/{self.start}/"


def run_tag(rule: SummaryRule, start: Instant, token: str) -> RunTag:
    """The drop-by tag of a run of the window that starts at ``start``."""
    return RunTag(rule.metadata.namespace, rule.metadata.name, start, token)


def rule_tag_prefix(rule: SummaryRule) -> str:
    """The beginning of the drop-by tags of a rule."""
    return f"drop-by:summaryrule/{rule.metadata.namespace}/{rule.metadata.name}/"


def parse_run_tag(tag: str) -> RunTag | None:
    """The parts of a drop-by tag of this operator; None for another tag."""
    prefix, _, rest = tag.partition("/")
    parts = rest.split("/")
    if prefix != "drop-by:summaryrule" or len(parts) != len(RunTag._fields):
        return None
    namespace, name, start, run = parts
    at = read_instant(start)
    return RunTag(namespace, name, at, run) if at is not None else None
