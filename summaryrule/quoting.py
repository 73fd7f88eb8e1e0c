r"""Text between double quotes, as Go's ``%q`` (strconv.Quote) writes it.

The API server prints values so in its errors (``violation``), and upstream binds cluster labels so
(``kql``). It is not JSON: a control character is ``\x13``, and what Unicode does not print is
``\u0085`` or ``\U000f2808``; a character that is newer than this Python's Unicode is not printed.
"""

from typing import Final

_SHORT: Final = {
    '"': '\\"', "\\": "\\\\", "\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r",
    "\t": "\\t", "\v": "\\v",
}  # fmt: skip


def quoted(text: str) -> str:
    r"""Give the text in quotes, with nothing in it that would end them or the line.

    >>> print(quoted('"é"\n\x13'))
    "\"é\"\n\x13"
    """
    if text.isascii() and text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(character: str) -> str:
    if character in _SHORT:
        return _SHORT[character]
    if character.isprintable():
        return character
    code = ord(character)
    if code < 0x80:  # noqa: PLR2004 - ASCII
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"  # noqa: PLR2004 - two bytes
