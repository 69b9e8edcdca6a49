"""The grammar of an answer's text.

    text     [name =] list                          without brackets: a line break ends a row
    list     entries with commas, spaces, line breaks or semicolons between them
    entry    number | number / number | ( list ) | [ list ] | wrapper ( entry [, what a print adds] )

A wrapper is what Python prints around numbers: ``array``, ``np.float64``. Nothing is evaluated.
"""

import math
import unicodedata

from core.answers.assembly import MOST_AXES, Assembly, UnreadableError, too_deep, too_many
from core.answers.rows import Entry, Node, Rows
from core.answers.tokens import Token, split_tokens

_CLOSING = {"(": ")", "[": "]"}
_ENDS = {")", "]", "end"}
_MODULES = {"", "np", "numpy", "jnp", "jax.numpy", "torch"}
_CONTAINERS = {"array", "asarray", "Array", "matrix", "tensor"}
_TYPES = {"float", "float16", "float32", "float64", "float128", "longdouble", "int", "int8", "int16", "int32", "int64"}
_MOST_SKIPPED = 1000  # tokens of what a print adds: dtype=float32, grad_fn=<MulBackward0>

_CALCULATION = "nothing is calculated here; needed finished numbers or fractions like 1/3, without formulas"
_FAULTS = {
    "dots": "found an array that NumPy shortened; print all of it, after np.set_printoptions(threshold=sys.maxsize)",
    "word": "found a word; needed only numbers, without names, units or formulas",
    "/": "found / with no number before it; needed a fraction like 1/3",
    "{": "found {; needed square brackets around a list of numbers",
    "}": "found }; needed square brackets around a list of numbers",
    "%": "found %; needed plain numbers, 0.05 for five per cent",
    "=": "found =; needed at most one name and one equals sign, at the very beginning",
    "'": "found a quotation mark; needed numbers without any",
    '"': "found a quotation mark; needed numbers without any",
    **{
        sign: f"found {sign} with no number right after it; needed one sign, directly before its number"
        for sign in "+-"
    },
    **{sign: f"found {sign}; {_CALCULATION}" for sign in "*^"},
}
_WORDS = {
    **dict.fromkeys(("none", "null"), "found a missing value; needed a number in every place"),
    **dict.fromkeys(("true", "false"), "found a truth value; needed a number"),
}


def assemble_text(text: str, assembly: Assembly) -> None:
    """Put a text's numbers into an array's assembly.

    Parameters
    ----------
    text : str
    assembly : Assembly
        Where the numbers go.

    Raises
    ------
    UnreadableError
        If the text is not of the grammar, or its lists are not of equal length; the place is line and column.
    """
    _place(_Parser(text, assembly.most_numbers).parse(), assembly)


def _place(node: Node, assembly: Assembly) -> None:
    if isinstance(node, Entry):
        assembly.add(node.value, node.place, is_fraction=node.is_fraction)
        return
    assembly.open(node.place)
    for inner in node.nodes:
        _place(inner, assembly)
    assembly.close(node.end)


class _Parser:
    def __init__(self, text: str, most_numbers: int) -> None:
        self._tokens = split_tokens(text)
        self._token = next(self._tokens)
        self._last = self._token
        self._most_numbers = most_numbers
        self._n_numbers = 0
        self._depth = 0
        self._n_wrappers = 0

    def parse(self) -> Node:
        rows = self._read_rows()
        token = self._token
        if token.kind != "end":
            raise UnreadableError(token.place, f"found {token.kind} without the bracket that it closes; needed pairs")
        if rows.is_empty:
            raise UnreadableError((1, 1), "found an empty text; needed at least one number")
        return rows.arrange("", (1, 1), (1, 1))

    def _advance(self) -> Token:
        self._last = self._token
        self._token = next(self._tokens, self._last)
        return self._last

    def _read_rows(self) -> Rows:
        rows = Rows(self._depth)
        while self._token.kind not in _ENDS:
            token = self._token
            if token.kind == ",":
                rows.add_comma(self._advance())
            elif token.kind == "row":
                width = self._last.end  # of the line that ends here
                rows.add_break(self._advance(), width)
            elif rows.touches(token):
                raise self._touching()
            else:
                rows.add(self._read_entry(), token)
        return rows

    def _read_entry(self) -> Node:
        token = self._advance()
        match token.kind:
            case "number":
                return self._read_number(token)
            case "special":
                return self._count(Entry(_special(token.text), token.place, token.text, is_fraction=False))
            case "(" | "[":
                return self._read_list(token)
            case "word" if self._token.kind == "(":
                return self._read_call(token)
            case _:
                raise UnreadableError(token.place, _fault(token))

    def _read_number(self, token: Token) -> Entry:
        value = float(token.text)
        if self._token.kind != "/":
            return self._count(Entry(value, token.place, token.text, is_fraction=False))
        bar = self._advance()
        if self._token.kind != "number":
            raise UnreadableError(bar.place, "found / with no number after it; needed a fraction like 1/3")
        below = self._advance()
        divisor = float(below.text)
        if divisor == 0.0:
            raise UnreadableError(below.place, "found a fraction with denominator 0; needed another denominator")
        if self._token.kind == "/":
            raise UnreadableError(self._token.place, "found a second / in a fraction; needed one like 1/3")
        return self._count(Entry(value / divisor, token.place, "", is_fraction=True))

    def _read_list(self, opening: Token) -> Node:
        if self._depth == MOST_AXES:
            raise too_deep(opening.place)
        self._depth += 1
        rows = self._read_rows()
        self._depth -= 1
        end = self._close(opening)
        return _without_text(rows.arrange(opening.kind, opening.place, end.place))

    def _read_call(self, name: Token) -> Node:
        module, _, wrapper = name.text.rpartition(".")
        if module not in _MODULES or wrapper not in _CONTAINERS | _TYPES:
            raise UnreadableError(
                name.place, "found a function; needed numbers, or their print with array, tensor or float64 around them"
            )
        if self._n_wrappers == MOST_AXES:
            raise too_deep(name.place)
        opening = self._advance()
        self._n_wrappers += 1
        self._skip_breaks()
        if self._token.kind in _ENDS:
            self._close(opening)
            raise UnreadableError(opening.place, "found empty brackets; needed at least one number in them")
        node = self._read_entry()
        self._n_wrappers -= 1
        self._skip_breaks()
        if self._token.kind == ",":
            self._advance()
            self._skip_breaks()
            if self._token.kind == "word":
                self._skip_keywords(opening)
        self._close(opening)
        return _without_text(node)

    def _skip_keywords(self, opening: Token) -> None:
        depth = 0
        for _ in range(_MOST_SKIPPED):
            if self._token.kind == "end" or (depth == 0 and self._token.kind == ")"):
                return
            depth += {"(": 1, ")": -1}.get(self._advance().kind, 0)
        raise UnreadableError(opening.place, "found a bracket that is closed too far on; needed the numbers alone")

    def _skip_breaks(self) -> None:
        while self._token.kind == "row" and ";" not in self._token.text:
            self._advance()

    def _close(self, opening: Token) -> Token:
        needed = _CLOSING[opening.kind]
        token = self._token
        if token.kind == "end":
            raise UnreadableError(opening.place, f"found {opening.kind} that is never closed; needed {needed}")
        if token.kind in _ENDS and token.kind != needed:
            raise UnreadableError(token.place, f"found {token.kind}; needed {needed} to close {opening.kind}")
        if token.kind != needed:
            raise UnreadableError(token.place, f"found more than one entry in a wrapper's brackets; needed {needed}")
        return self._advance()

    def _count(self, entry: Entry) -> Entry:
        self._n_numbers += 1
        if self._n_numbers > self._most_numbers:
            raise too_many(entry.place, self._most_numbers)
        return entry

    def _touching(self) -> UnreadableError:
        token = self._advance()
        unit = self._token if token.kind == "number" else token
        if unit.text.lower() in {"i", "j"} and not unit.spaced:
            return UnreadableError(token.place, "found a complex number; needed real ones")
        if token.kind == "word":
            message = "found a letter right after a number or bracket; needed numbers without units, names or formulas"
        elif token.text[0] in "+-":
            message = f"found {token.text[0]} between two numbers; {_CALCULATION}"
        elif token.kind in {"number", "special", "(", "["}:
            message = "found two entries with nothing between them; needed a space or a comma"
        else:
            message = _fault(token)
        return UnreadableError(token.place, message)


def _special(text: str) -> float:
    value = math.nan if text.lower().endswith("nan") else math.inf
    return -value if text[0] == "-" else value


def _without_text(node: Node) -> Node:
    # with brackets around it a number is no half of a decimal comma
    return node._replace(text="") if isinstance(node, Entry) else node


def _fault(token: Token) -> str:
    if token.kind == "word":
        return _WORDS.get(token.text.lower(), _FAULTS["word"])
    if token.kind in _FAULTS:
        return _FAULTS[token.kind]
    return f"found {_describe(token.kind)}; needed numbers, separated by spaces, commas, semicolons or line breaks"


def _describe(character: str) -> str:
    if character.isascii() and character.isprintable():
        return character
    kinds = {
        "L": "a letter of another script",
        "N": "a digit or number sign of another script",
        "C": "a control character",
    }
    return kinds.get(unicodedata.category(character)[0], "a sign that is not ASCII")
