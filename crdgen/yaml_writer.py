"""CustomResourceDefinitions as YAML text, as the Kubernetes tools write it.

Keys are sorted, lists are not indented, long text is not folded. Quoted is what any of the
tools' parsers would take for something else than text: PyYAML alone would leave `y` bare, which
the API server reads as true.
"""

import re
from typing import Any, Final

import yaml

_WORDS: Final = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null", "~"})
_NUMBER_LIKE: Final = re.compile(r"[-+]?\.?[0-9][0-9_a-fA-FxXoO.eE:+TtZz -]*")


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:  # noqa: ANN401, ARG002 - PyYAML's signature
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = None
    if "\n" in text and text.strip() == text and "\t" not in text:
        style = "|"
    elif text.lower() in _WORDS or _NUMBER_LIKE.fullmatch(text):
        style = "'"
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def to_yaml(*documents: dict[str, Any]) -> str:
    """The documents as one stream of YAML, each opened by `---`; the same bytes every time."""
    return yaml.dump_all(
        [_sort_keys(document) for document in documents],
        Dumper=_Dumper,
        explicit_start=True,
        allow_unicode=True,
        width=2**20,
    )


def _sort_keys(value: Any) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, dict):
        return {name: _sort_keys(value[name]) for name in sorted(value)}
    if isinstance(value, (list, tuple)):
        return [_sort_keys(child) for child in value]
    return value
