"""Characters that stand for plain ones: dashes, blanks, digits of other scripts, line ends, invisible signs."""

import re
import unicodedata
from itertools import product

INVISIBLE = "\u200b"
"""Stands for every character that has no width and no meaning in a number."""

VULGAR = "¼½¾⅐⅑⅒⅓⅔⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞"
"""Fractions that are one character."""

SUPERSCRIPTS = str.maketrans("⁺⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "+-0123456789")

_LINE_ENDS = "\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"
_SINGLE = {
    "\t": " ",
    "\u2212": "-",
    "\u02d7": "-",
    "\u2796": "-",
    "\u2044": "/",
    "\u2215": "/",
    "\u066b": ".",
    "\u066c": ",",
    "\u3001": ",",
    "\u2018": "'",
    "\u2019": "'",
    "\u201c": '"',
    "\u201d": '"',
}
_NO_MINUS = "\u301c\u3030\u30a0"
_DRAWN = (*range(0x239B, 0x23AE), *range(0x2500, 0x2580))  # pieces of tall brackets, and lines of tables
_DRAWN_MINUS = re.compile(r"(?<![\u2500\u2501])[\u2500\u2501](?=[0-9.])")  # no table's line touches a number
_WIDE = range(0xFF01, 0xFF5F)
_SEARCHED = (*range(0x80, 0x10000), *range(0x1D7CE, 0x1D800))
_NOT_PLAIN = re.compile(r"[\t\r\x0b\x0c\x1c-\x1e]|[^\x00-\x7f]")


def _plain_one(code: int) -> str | None:
    character = chr(code)
    match unicodedata.category(character):
        case "Zs":
            return " "
        case "Pd" if character not in _NO_MINUS:
            return "-"
        case "Cf":
            return INVISIBLE
        case "Nd":
            return str(unicodedata.decimal(character))
        case _:
            return chr(code - _WIDE.start + ord("!")) if code in _WIDE else None


_PLAIN = {
    **{code: plain for code in _SEARCHED if (plain := _plain_one(code)) is not None},
    **dict.fromkeys(_DRAWN, "|"),
    **dict.fromkeys(map(ord, _LINE_ENDS), "\n"),
    **{ord(character): plain for character, plain in _SINGLE.items()},
}


def make_plain(text: str) -> str:
    """Put plain characters in place of those that mean the same.

    Returns
    -------
    str
        Of the same lines, and each character in the same row and column.
    """
    if _NOT_PLAIN.search(text) is None:
        return text
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    if _DRAWN_MINUS.search(text):
        for line, digit in product("\u2500\u2501", "0123456789."):  # a substitution by pattern takes more memory
            text = text.replace(line + digit, "-" + digit)
    return text.translate(_PLAIN)


def find_unquoted(text: str) -> tuple[int, int]:
    """Return where a text begins and ends inside quotation marks around all of it."""
    whole = text.strip()
    if len(whole) > 1 and whole[0] in "\"'" and whole[-1] == whole[0] and whole.count(whole[0]) == 2:
        start = text.index(whole[0]) + 1
        return start, start + len(whole) - 2
    return 0, len(text)
