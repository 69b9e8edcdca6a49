"""How single numbers are written, and the float64 nearest to each."""

import math
import re
import unicodedata

from core.answers.characters import SUPERSCRIPTS, VULGAR

_PLAIN = r"(?:[0-9]++(?:(?:\.|\{,\})[0-9]*+)?|\.[0-9]++)"
_WHOLE = r"[+-]?[0-9]++"
_EXPONENT = rf"(?:[ed]|f(?!(?:16|32|64)(?![0-9]))|\*\^){_WHOLE}"  # f32 and f64 are types
_RAISED = (
    rf"(?:[ ]*+(?:\^|\*\*)[ ]*+(?:\{{[ ]*+{_WHOLE}[ ]*+\}}|\([ ]*+{_WHOLE}[ ]*+\)|{_WHOLE})"
    rf"|[⁺⁻]?[⁰¹²³⁴⁵⁶⁷⁸⁹]++|<sup>{_WHOLE}</sup>)"
)
_POWER = rf"[ ]*+(?:[*x×·⋅∙•✕∗]|\\times|\\cdot|&times;|&middot;)[ ]*+10{_RAISED}"
_PERCENT = r"[ ]?\\?[%‰]"
_FRACTION = rf"(?:\\[dt]?frac\{{|(?:fraction|rational)\()[ ]*+({_WHOLE})[ ]*+(?:\}}[ ]?\{{|,)[ ]*+({_WHOLE})[ ]*+[}})]"
_MARKED = r"`[0-9.]*+"  # digits that Mathematica is sure of

NUMBER = (
    rf"[+-]?(?:10{_RAISED}|{_PLAIN}[{VULGAR}]?(?:{_MARKED})?(?:{_EXPONENT})?(?:f(?![\w.]))?(?:{_POWER})?(?:{_PERCENT})?"
    rf"|[{VULGAR}]|{_FRACTION.replace(f'({_WHOLE})', _WHOLE)})"
)
"""A regular expression, for case-blind matching of plain text."""

_FRACTIONS = re.compile(rf"([+-]?){_FRACTION}", re.IGNORECASE)
_PARTS = re.compile(
    rf"(?P<mantissa>[+-]?(?:{_PLAIN})?)(?P<vulgar>[{VULGAR}]?)(?:{_MARKED})?"
    rf"(?:(?:[edf]|\*\^)(?P<exponent>{_WHOLE}))?(?P<power>{_POWER})?(?P<percent>{_PERCENT})?",
    re.IGNORECASE,
)
_TEN = re.compile(rf"(?P<sign>[+-]?)10(?P<raised>{_RAISED})", re.IGNORECASE)
_LARGEST = 1e9  # any exponent beyond gives 0 or infinity


def read_number(text: str, shift: int = 0) -> float:
    """Return a number from its text, rounded once.

    Parameters
    ----------
    text : str
        As `NUMBER` finds it.
    shift : int
        Powers of ten to multiply by; they are added to the exponent in the text.

    Raises
    ------
    ZeroDivisionError
        If it is a fraction with denominator 0.
    """
    if not shift:
        try:
            return float(text)
        except ValueError:  # it has more than digits, a point and an exponent
            pass
    if fraction := _FRACTIONS.fullmatch(text):
        sign = -1.0 if fraction[1] == "-" else 1.0
        return sign * float(fraction[2]) / float(fraction[3]) * 10.0**shift
    if ten := _TEN.fullmatch(text):
        return float(f"{ten['sign']}1e{_exponent(ten['raised']) + shift}")
    parts = next(_PARTS.finditer(text))
    mantissa = parts["mantissa"].replace("{,}", ".")
    if parts["vulgar"]:
        whole, part = mantissa.lstrip("+-"), unicodedata.numeric(parts["vulgar"])
        value = (float(whole or 0) + part) * 10.0**shift
        return -value if mantissa.startswith("-") else value
    shift += _exponent(parts["exponent"]) + _exponent((parts["power"] or "").partition("10")[2])
    shift -= {"%": 2, "‰": 3}.get((parts["percent"] or " ")[-1], 0)
    return float(f"{mantissa}e{shift}")


def read_power(text: str) -> int | None:
    """Return the exponent of a power of ten from its text, or None if it is no such power."""
    factor = float(text)
    shift = round(math.log10(factor)) if 0.0 < factor < math.inf else 0
    return shift if float(f"1e{shift}") == factor else None


def read_special(text: str) -> float:
    """Return NaN or infinity from its text."""
    value = math.nan if text.lower().endswith("nan") else math.inf
    return -value if text[0] == "-" else value


def _exponent(text: str | None) -> int:
    digits = (text or "").translate(SUPERSCRIPTS).strip(" ^*{}()<>/supSUP")
    return int(max(-_LARGEST, min(_LARGEST, float(digits or 0))))
