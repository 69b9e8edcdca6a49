"""What is found in a text where a number is needed, in words."""

import re
import unicodedata

from core.answers.assembly import UnreadableError
from core.answers.tokens import Token

NOTHING_IS_CALCULATED = "nothing is calculated here; needed finished numbers or fractions like 1/3, without formulas"
THOUSANDS_SEPARATOR = "found what looks like a thousands separator; write the number without any, with a decimal point"
DOTS_AFTER_DIGITS = "found dots right after digits; write as many digits as you have, without dots"
SHORTENED_PRINT = (
    "found dots, with which a print leaves numbers out; print all of them, "
    "in NumPy after np.set_printoptions(threshold=sys.maxsize)"
)
FAULTS = {
    "dots": SHORTENED_PRINT,
    "invisible": "found an invisible character inside a number; needed a blank, or nothing",
    "word": "found a word; needed only numbers, without names, units or formulas",
    "name": "found a second name; needed the numbers of one answer",
    "names": "found a word; needed only numbers, without names, units or formulas",
    "header": "found a word; needed only numbers, without names, units or formulas",
    "input": "found a second printed answer; needed one",
    "factor": "found a factor below numbers; needed it above them",
    "/": "found / with no number before it; needed a fraction like 1/3",
    "%": "found % with no number before it; needed plain numbers, or 5% for 0.05",
    "=": "found =; needed at most one name and one equals sign, at the very beginning",
    **{
        sign: f"found {sign} with no number right after it; needed one sign, directly before its number"
        for sign in "+-"
    },
    **{sign: f"found {sign}; {NOTHING_IS_CALCULATED}" for sign in "*^"},
}
_THREE_DIGITS = re.compile(r"[_'][0-9]{3}(?![0-9])")
_WORDS = {
    **dict.fromkeys(("none", "null", "na"), "found a missing value; needed a number in every place"),
    **dict.fromkeys(("true", "false"), "found a truth value; needed a number"),
}
_SHOWN = {"around": "<", "table": "the begin of a table", "/table": "the end of a table"}


def describe_fault(token: Token) -> str:
    """Say what is wrong with a token that begins no number."""
    if token.kind == "word":
        return _WORDS.get(token.text.lower(), FAULTS["word"])
    if token.kind in FAULTS:
        return FAULTS[token.kind]
    return f"found {describe(token.kind)}; needed numbers, separated by spaces, commas, semicolons or line breaks"


def describe(kind: str) -> str:
    """Say what a sign is, in ASCII."""
    if kind in _SHOWN:
        return _SHOWN[kind]
    if kind.isascii() and kind.isprintable():
        return kind
    kinds = {
        "L": "a letter of another script",
        "N": "a digit or number sign of another script",
        "C": "a control character",
    }
    return kinds.get(unicodedata.category(kind)[0], "a sign that is not ASCII")


def touching_error(token: Token, following: Token) -> UnreadableError:
    """Return the error of a token right after an entry, with nothing between them."""
    unit = following if token.kind == "number" else token
    if unit.text.lower() in {"i", "j"} and not unit.spaced:
        return UnreadableError(token.start, "found a complex number; needed real ones")
    if _THREE_DIGITS.match(token.text + following.text if token.kind == "'" and not following.spaced else token.text):
        message = THOUSANDS_SEPARATOR
    elif token.kind == "word":
        message = "found a letter right after a number or bracket; needed numbers without units, names or formulas"
    elif token.kind == "'":
        message = f"found ' right after a number or bracket; {NOTHING_IS_CALCULATED}"
    elif token.text[0] in "+-":
        message = f"found {token.text[0]} between two numbers; {NOTHING_IS_CALCULATED}"
    elif token.kind in {"number", "special", "(", "[", "{", "table", "around", '"'}:
        message = "found two entries with nothing between them; needed a space or a comma"
    else:
        message = describe_fault(token)
    return UnreadableError(token.start, message)


def denominator_error(token: Token) -> UnreadableError:
    """Return the error of a fraction."""
    return UnreadableError(token.start, "found a fraction with denominator 0; needed another denominator")
