"""The tokens of an answer's text: numbers, words, separators and single signs, each with its place."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from core.answers.assembly import Place

_MINUS = "\u2010\u2011\u2013\u2212\ufe63\uff0d"
_SPACES = "\t\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
_PLAIN = str.maketrans(_MINUS + _SPACES, "-" * len(_MINUS) + " " * len(_SPACES))  # one for one: columns stay

# possessive, so that a long name or a long space is gone over once
_NAME = re.compile(r"[ \n]*+[a-z_][\w.]*+(?:/[a-z_][\w.]*+)?[ \n]*+=", re.ASCII | re.IGNORECASE)
_TOKEN = re.compile(
    r"""
      (?P<space>   [ ]+)
    | (?P<row>     [;\n][ ;\n]*)
    | (?P<number>  [+-]? (?: [0-9]+\.?[0-9]* | \.[0-9]+ ) (?: e[+-]?[0-9]+ )?)
    | (?P<special> [+-]? (?: (?:np|numpy|jnp|jax\.numpy|torch|math)\. )? (?: nan | inf(?:inity)? ) (?![\w.]))
    | (?P<word>    [a-z_][\w.]*)
    | (?P<dots>    \.\.\.|\u2026)
    | (?P<sign>    .)
    """,
    re.ASCII | re.IGNORECASE | re.VERBOSE,
)


class Token(NamedTuple):
    """One token.

    Parameters
    ----------
    kind : str
        ``"number"``, ``"special"`` (NaN and infinity), ``"word"``, ``"row"`` (line breaks and semicolons),
        ``"dots"``, ``"end"``, or the character itself for any other.
    text : str
        As written, but with plain spaces, line breaks and minus signs.
    place : tuple of int
        Line and column.
    spaced : bool
        Whether a space or a line break stands before it.
    """

    kind: str
    text: str
    place: Place
    spaced: bool

    @property
    def end(self) -> int:
        """The column of its last character."""
        return self.place[1] + len(self.text) - 1


def split_tokens(text: str) -> Iterator[Token]:
    """Split text into tokens, without the name and the equals sign that it may begin with.

    Parameters
    ----------
    text : str

    Yields
    ------
    Token
        As they are asked for; the last one is of kind ``"end"``, and there is always one.
    """
    plain = "\n".join(text.removeprefix("\ufeff").splitlines()).translate(_PLAIN)
    name = _NAME.match(plain)
    start = name.end() if name else 0
    line = plain.count("\n", 0, start) + 1
    line_start = plain.rfind("\n", 0, start) + 1
    spaced = False
    for match in _TOKEN.finditer(plain, start):
        kind, found = str(match.lastgroup), match[0]
        if kind != "space":
            place = (line, match.start() - line_start + 1)
            yield Token(found if kind == "sign" else kind, found, place, spaced)
        spaced = kind in {"space", "row"}
        if kind == "row" and "\n" in found:
            line += found.count("\n")
            line_start = match.start() + found.rindex("\n") + 1
    yield Token("end", "", (line, max(1, len(plain) - line_start)), spaced)
