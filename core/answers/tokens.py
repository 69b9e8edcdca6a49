"""The tokens of an answer's text: numbers, words, separators, single signs, and what forms add."""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple, cast

from core.answers.characters import INVISIBLE
from core.answers.forms import FORMS
from core.answers.numbers import NUMBER

_SPECIAL = r"(?:(?:np|numpy|jnp|jax\.numpy|torch|math)\.)?(?:nan|inf(?:inity)?)(?![\w.])|∞"

# up to four words before an equals sign or a colon: dW, S[0], Loss of batch
_NAME = (
    r"(?:(?:[^\s0-9=≈:;,\[\](){}<>\"'`|+*.-][^\s=≈:;,\[\]()<>\"'`|+*-]*+[ ]?+){1,4}+'?"
    r"(?:\[[^\]\n=]{0,20}\]|\([^)\n=]{0,20}\))?[ ]*+(?::?=|≈|:|<-|[-=]>)|=|≈|~)(?![=:~])"
)
_WORD = r"(?!(?:nan|inf|infinity|true|false|none|null|na)\b)[^\W0-9][\w.%]*+"
_WORDS = rf"(?:[ ,;|\"']*+{_WORD})++[ ,;|\"']*+"
_NAMES = rf"(?:{_WORDS}\n\s*+)++(?=\S)|{_WORDS}(?=\\[ ]*+\n)"

_STARTS = [*(rewrite for form in FORMS.values() for rewrite in form.starts), (_NAME, "name"), (_NAMES, "names")]
_PIECES = [
    (r"[ ][ \u200b]*+", " "),
    (r"\u200b++", "invisible"),
    (NUMBER, "number"),
    (r"[;\n][ ;\n\u200b]*+", "row"),
    (rf"[+-]?(?:{_SPECIAL})", "special"),
    *(rewrite for form in FORMS.values() for rewrite in form.pieces),
    (r"[a-z_][\w.]*+", "word"),
    (r"\.\.\.|[…⋮⋯⋱]", "dots"),
    (r"[|&][ |&]*+", "|"),
    (".", "sign"),
]
_OPENING, _CLOSING = frozenset({"(", "[", "{", "table"}), frozenset({")", "]", "}", "/table"})


def _one_of(rewrites: Sequence[tuple[str, str]], flags: int = 0) -> re.Pattern[str]:
    # the patterns have no groups of their own, so that the last group tells which of them it was
    return re.compile("|".join(f"({pattern})" for pattern, _ in rewrites), flags | re.IGNORECASE)


_AT_START = _one_of(_STARTS)
_ANYWHERE = _one_of(_PIECES, re.ASCII | re.DOTALL)
_MOST_AT_START = 8
"""How many things a line begins with before its numbers: some patterns look at all of the line, each time."""

_IN_NUMBER = re.compile(r"(?<=[0-9.])\u200b++(?=[0-9.])")


class Token(NamedTuple):
    """One token.

    Parameters
    ----------
    kind : str
        ``"number"``, ``"special"`` (NaN and infinity), ``"word"``, ``"row"`` (line breaks and semicolons),
        ``"dots"``, ``"invisible"`` (a character inside a number), ``"end"``, a meaning of what a form adds,
        or the character itself for any other.
    text : str
        Plain.
    start : int
        Its first character's index in the plain text.
    spaced : bool
        Whether a blank or a line break stands before it.
    """

    kind: str
    text: str
    start: int
    spaced: bool

    @property
    def end(self) -> int:
        """The index after its last character."""
        return self.start + len(self.text)


def split_tokens(text: str, start: int, end: int) -> Iterator[Token]:
    """Split plain text into tokens.

    Parameters
    ----------
    start, end : int
        Where to begin and to stop.

    Yields
    ------
    Token
        As they are asked for; the last one is of kind ``"end"``, and there is always one.
    """
    spaced, depth = False, 0
    chances = _MOST_AT_START  # of what may stand at the start of a line, 0 within it
    while start < end:
        rewrites = _STARTS
        match = _AT_START.match(text, start, end) if chances and depth == 0 else None
        if match is None:
            rewrites, match = _PIECES, _ANYWHERE.match(text, start, end)
        found = cast("re.Match[str]", match)  # its last pattern matches any character
        kind = rewrites[found.lastindex - 1][1] if found.lastindex else ""
        if kind == " ":
            spaced = True
            if rewrites is _PIECES and text[start] != " ":
                chances = max(0, chances - 1)
        elif kind == "invisible":
            if _IN_NUMBER.match(text, start):
                yield Token(kind, INVISIBLE, start, spaced)
        else:
            token = Token(found[0] if kind == "sign" else kind, found[0], start, spaced)
            yield token
            depth += (token.kind in _OPENING) - (token.kind in _CLOSING)
            spaced = kind == "row" or rewrites is _STARTS
            if not spaced:
                chances = 0
        if kind == "row":
            chances = _MOST_AT_START
        elif rewrites is _STARTS:
            chances -= 1
        start = found.end()
    yield Token("end", "", end, spaced)
