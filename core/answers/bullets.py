"""Dashes that begin the items of a list, in YAML and Markdown."""

import re

from core.answers.assembly import UnreadableError

_ITEMS = re.compile(r"\s*+(?:---\n)?(?:[^\n:-][^\n:]*+:[ ]*+\n)?(?P<items>(?:[ ]*+- ++[^\n]*+(?:\n\s*+|\Z)){2,}+)\Z")
_ITEM = re.compile(r"^( *+)-(?= )", re.MULTILINE)
_NESTED = re.compile(r"^ *+- ++- ", re.MULTILINE)
_CLEAR = re.compile(r"^ *+- ++[\[(+-]", re.MULTILINE)


def without_bullets(text: str, typed: str, most_numbers: int) -> str:
    """Put blanks in place of the dashes that begin the items of a list.

    Parameters
    ----------
    text : str
        Plain.
    typed : str
        The same before it was plain: a typeset minus in it begins no item.
    most_numbers : int
        How many numbers are read at most; further items need no blank.

    Returns
    -------
    str
        Each character in the same place.

    Raises
    ------
    UnreadableError
        If the dashes may be signs as well, or the items are lists of items.
    """
    found = None if "\u2212" in typed else _ITEMS.fullmatch(text)
    if found is None:
        return text
    start = found.start("items")
    if _NESTED.search(text, start):
        raise UnreadableError(start, "found lists of items inside each other; write each row in square brackets")
    if not _CLEAR.search(text, start):
        raise UnreadableError(
            start,
            "found a dash and a blank at the start of each line: it may be a minus or begin an item; "
            "write a minus without the blank, or leave the dashes out",
        )
    return _ITEM.sub(r"\1 ", text, count=most_numbers + 1)
