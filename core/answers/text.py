"""The grammar of an answer's text.

    text     list                                   without brackets: a line break ends a row
    list     entries with commas, cells, spaces, line breaks or semicolons between them
    entry    number | number / number | ( list ) | [ list ] | wrapper ( entry [, what a print adds] )

What a tool adds is left to `forms`. Nothing is evaluated.
"""

import re
from typing import cast

from core.answers.assembly import MOST_AXES, Assembly, UnreadableError, too_deep, too_many
from core.answers.bullets import without_bullets
from core.answers.characters import find_unquoted, make_plain
from core.answers.commas import read_cell
from core.answers.faults import (
    DOTS_AFTER_DIGITS,
    FAULTS,
    SHORTENED_PRINT,
    denominator_error,
    describe,
    describe_fault,
    touching_error,
)
from core.answers.forms import FORMS
from core.answers.leaf import Breaks, Leaf
from core.answers.numbers import read_number, read_power, read_special
from core.answers.readings import fits, read_leaf
from core.answers.rows import Entry, Node, Rows
from core.answers.tokens import Token, split_tokens

_CLOSING = {"(": ")", "[": "]", "{": "}", "around": ">", "table": "/table", '"': '"', "'": "'"}
_ENDS = frozenset(_CLOSING.values()) - {'"', "'"} | {"end"}
_MODULES = frozenset({"", *(module for form in FORMS.values() for module in form.modules)})
_WRAPPERS = frozenset(wrapper for form in FORMS.values() for wrapper in form.wrappers)
_NAMES = re.compile(r"[^\s,;|\"']+")
_MOST_SKIPPED = 1000  # tokens of what a print adds: dtype=float32, grad_fn=<MulBackward0>

MOST_NUMBERS_OF_TEXT = 1_000_000
"""Numbers of one text: each may take 230 bytes to read, and ten microseconds or more."""

MOST_LISTS = 250_000
"""Lists, tables and quoted cells of one text: each takes half a kilobyte to read."""


def assemble_text(text: str, assembly: Assembly, shape: tuple[int, ...] | None) -> None:
    """Put a text's numbers into an array's assembly.

    Parameters
    ----------
    assembly : Assembly
        Where the numbers go.
    shape : tuple of int or None
        The shape that is asked for, which decides where a text can be read in two ways.

    Raises
    ------
    UnreadableError
        If the text is not of the grammar, or its lists are not of equal length; the place is line and column.
    """
    plain = make_plain(text)
    most_numbers = min(assembly.most_numbers, MOST_NUMBERS_OF_TEXT)
    try:
        _Parser(without_bullets(plain, text, most_numbers), most_numbers).place(assembly, shape)
    except UnreadableError as error:
        raise UnreadableError(_place_of(plain, cast("int", error.place)), str(error)) from None


def _place_of(text: str, index: int) -> tuple[int, int]:
    index = max(0, min(index, len(text.rstrip("\n")) - 1))
    line_start = text.rfind("\n", 0, index) + 1
    return text.count("\n", 0, index) + 1, index - line_start + 1


class _Parser:
    def __init__(self, text: str, most_numbers: int) -> None:
        start, end = find_unquoted(text)
        self._text = text
        self._tokens = split_tokens(text, start, end)
        self._token = next(self._tokens)
        self._most_numbers = most_numbers
        self._n_numbers = self._n_lists = 0
        self._depth = 0
        self._n_wrappers = 0
        self._shift = 0
        self._is_named = False
        self._dots: int | None = None

    def place(self, assembly: Assembly, shape: tuple[int, ...] | None) -> None:
        rows = Rows("rows", 0, is_list=False)
        self._read_rows(rows)
        token = self._token
        if token.kind != "end":
            raise UnreadableError(
                token.start, f"found {describe(token.kind)} without the bracket that it closes; needed pairs"
            )
        if rows.is_empty:
            raise UnreadableError(0, "found an empty text; needed at least one number")
        self._place_node(rows.close(token.start), assembly, shape, is_root=True)
        if self._dots is not None and (shape is None or not fits(assembly.array().shape, shape)):
            raise UnreadableError(self._dots, SHORTENED_PRINT)

    def _place_node(self, node: Node, assembly: Assembly, shape: tuple[int, ...] | None, *, is_root: bool) -> None:
        if isinstance(node, Entry):
            assembly.add(node.value, node.start)
        elif isinstance(node, Leaf):
            read_leaf(node, self._text, shape, is_all=is_root).place(assembly)
        else:
            assembly.open(node.start)
            for inner in node.nodes:
                self._place_node(inner, assembly, shape, is_root=False)
            assembly.close(node.end)

    def _advance(self) -> Token:
        token = self._token
        self._token = next(self._tokens, token)
        return token

    def _read_rows(self, rows: Rows, closing: str = "end") -> None:
        while (token := self._token).kind not in _ENDS and token.kind != closing:
            match token.kind:
                case ",":
                    rows.add_comma(self._advance())
                case "row":
                    rows.add_break(self._advance().text)
                case "|":
                    self._advance()
                    rows.add_cell()
                case ";":
                    self._advance()
                    rows.add_break(";")
                case "dots" if rows.allows_dots:
                    self._read_dots(rows)
                case "columns" | "vector" | "wrapped" | "counter":
                    _lay_out(self._advance(), rows)
                case "names" | "header" | "name" | "input" | "factor":
                    self._take_heading(self._advance(), rows)
                case _ if rows.touches(token):
                    raise touching_error(self._advance(), self._token)
                case _:
                    rows.add(self._read_entry(rows), token, self._text)

    def _take_heading(self, token: Token, rows: Rows) -> None:
        match token.kind:
            case "names" if rows.leaf.is_wrapped:
                pass
            case _ if self._n_numbers:
                raise UnreadableError(token.start, FAULTS[token.kind])
            case "names":
                rows.leaf.n_names = sum(1 for _ in _NAMES.finditer(token.text.rstrip().rpartition("\n")[2]))
            case "header":
                rows.leaf.n_names += 1
            case "factor":
                if (shift := read_power(token.text.rstrip(" *"))) is None:
                    raise UnreadableError(
                        token.start, "found a factor that is no power of ten; needed finished numbers"
                    )
                self._shift = rows.leaf.shift = shift
            case "name" if self._is_named:
                raise UnreadableError(token.start, FAULTS["name"])
            case "name":
                self._is_named = True

    def _read_dots(self, rows: Rows) -> None:
        token = self._advance()
        if self._token.kind != "row" or ";" in self._token.text:
            raise UnreadableError(token.start, DOTS_AFTER_DIGITS if rows.touches(token) else SHORTENED_PRINT)
        if not rows.ends_entry:
            self._dots = token.start  # so does a print that leaves numbers out: the shape tells
        self._advance()

    def _read_entry(self, rows: Rows) -> Node:
        token = self._advance()
        match token.kind:
            case "number":
                return self._read_number(token.start, token, "")
            case "special":
                return self._count(Entry(read_special(token.text), token.start, token.end))
            case "+" | "-" if self._is_sign(token, rows):
                return self._read_number(token.start, self._advance(), token.kind)
            case "(" | "[" | "{" | "table" | "around" | '"' | "'":
                return self._read_list(token)
            case "word" if self._token.kind == "(":
                return self._read_call(token)
            case _:
                raise UnreadableError(token.start, describe_fault(token))

    def _is_sign(self, token: Token, rows: Rows) -> bool:
        number = self._token
        return (
            number.kind == "number"
            and number.text[0] not in "+-"
            and (rows.allows_sign or (token.spaced and not number.spaced))
        )

    def _read_number(self, start: int, token: Token, sign: str) -> Entry:
        value = self._value(token, sign)
        if self._token.kind != "/":
            return self._count(Entry(value, start, token.end))
        bar = self._advance()
        if self._token.kind == "/" and not self._token.spaced:
            self._advance()
        if self._token.kind != "number":
            raise UnreadableError(bar.start, "found / with no number after it; needed a fraction like 1/3")
        below = self._advance()
        divisor = read_number(below.text)
        if divisor == 0.0:
            raise denominator_error(below)
        if self._token.kind == "/":
            raise UnreadableError(self._token.start, "found a second / in a fraction; needed one like 1/3")
        return self._count(Entry(value / divisor, start, below.end))

    def _value(self, token: Token, sign: str) -> float:
        try:
            return read_number(sign + token.text, self._shift)
        except ZeroDivisionError:
            raise denominator_error(token) from None

    def _read_list(self, opening: Token) -> Node:
        kind = opening.kind
        is_bracket = kind in {"(", "[", "{"}
        if (self._depth if is_bracket else self._n_wrappers) == MOST_AXES:
            raise too_deep(opening.start)
        self._n_lists += 1
        if self._n_lists > MOST_LISTS:
            raise UnreadableError(opening.start, f"found more than {MOST_LISTS} lists; needed at most that many")
        self._depth += is_bracket
        self._n_wrappers += not is_bracket
        rows = Rows(self._breaks(kind), opening.start, is_list=kind in {"[", "{"})
        self._read_rows(rows, _CLOSING[kind])
        self._depth -= is_bracket
        self._n_wrappers -= not is_bracket
        closing = self._close(opening)
        if rows.is_empty and not is_bracket:
            raise UnreadableError(
                closing.start, f"found nothing before {describe(closing.kind)}; needed at least one number"
            )
        node = rows.close(closing.start)
        if kind in {'"', "'"} and isinstance(node, Leaf) and (cell := read_cell(node, self._text)):
            return Entry(*cell)
        return node

    def _breaks(self, kind: str) -> Breaks:
        if kind == "table":
            return "table"
        if kind in {"(", "[", "{"}:
            return "either" if self._depth == 1 else "blanks"
        return "blanks" if self._depth else "rows"

    def _read_call(self, name: Token) -> Node:
        module, _, wrapper = name.text.rpartition(".")
        if module not in _MODULES or wrapper not in _WRAPPERS:
            raise UnreadableError(
                name.start, "found a function; needed numbers, or their print with array, tensor or float64 around them"
            )
        if self._n_wrappers == MOST_AXES:
            raise too_deep(name.start)
        opening = self._advance()
        self._n_wrappers += 1
        self._skip_breaks()
        if self._token.kind in _ENDS:
            self._close(opening)
            raise UnreadableError(opening.start, "found empty brackets; needed at least one number in them")
        node = self._read_entry(Rows("rows", opening.start, is_list=False))
        self._n_wrappers -= 1
        self._skip_breaks()
        if self._token.kind == ",":
            self._advance()
            self._skip_breaks()
            if self._token.kind == "word":
                self._skip_keywords(opening)
        self._close(opening)
        return node

    def _skip_keywords(self, opening: Token) -> None:
        depth = 0
        for _ in range(_MOST_SKIPPED):
            if self._token.kind == "end" or (depth == 0 and self._token.kind == ")"):
                return
            depth += {"(": 1, ")": -1}.get(self._advance().kind, 0)
        raise UnreadableError(opening.start, "found a bracket that is closed too far on; needed the numbers alone")

    def _skip_breaks(self) -> None:
        while self._token.kind == "row" and ";" not in self._token.text:
            self._advance()

    def _close(self, opening: Token) -> Token:
        needed = _CLOSING[opening.kind]
        token, shown = self._token, f"{describe(opening.kind)}"
        if token.kind == "end":
            raise UnreadableError(opening.start, f"found {shown} that is never closed; needed {describe(needed)}")
        if token.kind in _ENDS and token.kind != needed:
            raise UnreadableError(
                token.start, f"found {describe(token.kind)}; needed {describe(needed)} to close {shown}"
            )
        if token.kind != needed:
            raise UnreadableError(token.start, f"found more than one entry in a wrapper's brackets; needed {needed}")
        return self._advance()

    def _count(self, entry: Entry) -> Entry:
        self._n_numbers += 1
        if self._n_numbers > self._most_numbers:
            raise too_many(entry.start, self._most_numbers)
        return entry


def _lay_out(token: Token, rows: Rows) -> None:
    match token.kind:
        case "columns":
            rows.add_columns()
        case "counter":
            rows.join()
        case "vector":
            rows.leaf.is_vector = True
        case _:
            rows.leaf.is_wrapped = True
