"""What a document may be like, whatever it says: how much of everything, how deep, how long a number.

An answer never makes a request fail. Lists in it that are nested too deep are cut, and it is marked unreadable,
as all answers of more than eight levels are; a number that is too long is read as the float64 that it stands for.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from app.errors import BodyError
from core.budget import Budget

MOST_PARTS = 250_000
"""Lists, objects and texts in what the reference reads: each takes a hundred bytes or more there, however short."""

MOST_DIGITS = 1_000  # characters of a number

TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[\]{}]|[-+.0-9eE]++', re.DOTALL)

ANSWERS = b'"answers"'
LARGER_THAN_FLOATS = b"1" + b"0" * 400


def _table(signs: bytes) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    table = np.zeros(256, dtype=np.bool_)
    table[list(signs)] = True
    return table


NUMBER_SIGNS = b"-+.0123456789eE"
BRACKETS_AND_QUOTES = _table(b'[]{}"')
STEPS = _table(b"[{").astype(np.int32) - _table(b"]}").astype(np.int32)
QUOTE = ord('"')


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The most values of a document, and how many lists and objects in it may stand inside each other."""

    values: int = Budget().numbers
    depth: int = 64


DEFAULT_LIMITS = Limits()


def require_bounds(raw: bytes | bytearray, limits: Limits) -> bytes | bytearray:
    """Check that a document is neither too deep nor holds a number that is too long, or too many parts.

    Returns the same document. Where an answer is too deep or too long, something shorter stands in its place.
    """
    openings = raw.count(b"[") + raw.count(b"{")
    if (parts := openings + raw.count(b'"') // 2) > MOST_PARTS:
        raise BodyError(
            422, "too_large", f"the body holds about {parts} lists, objects and texts, the limit is {MOST_PARTS} here"
        )
    if (openings > limits.depth and find_depth(raw) > limits.depth) or may_hold_long_number(raw):
        return b"".join(_cut(raw, limits))
    return raw


def find_depth(raw: bytes | bytearray) -> int:
    """Return how many lists and objects of a document stand inside each other, at most."""
    # what remains escaped is neither a bracket nor a quote; a substitution by pattern takes fifty times the memory
    plain = np.frombuffer(raw.replace(b"\\\\", b"").replace(b'\\"', b"") if b"\\" in raw else raw, dtype=np.uint8)
    signs = plain[BRACKETS_AND_QUOTES[plain]]
    is_outside = np.cumsum(signs == QUOTE) % 2 == 0
    return int(np.cumsum(STEPS[signs] * is_outside).max(initial=0))


def may_hold_long_number(raw: bytes | bytearray, digits: int = MOST_DIGITS) -> bool:
    """Tell whether a document may hold a number that is too long; where it does not, what may be one is in a text."""
    start, last = 0, len(raw) - digits
    while start < last:
        end = start + digits + 1
        # none begins before the last sign among so many that is of no number: mostly a comma, which is found at once
        passed = raw.rfind(b",", start, end) + 1 - start
        if passed <= 0 and not (passed := len(raw[start:end].rstrip(NUMBER_SIGNS))):
            return True
        start += passed
    return False


def too_deep(limit: int) -> BodyError:
    """Return the error of a document that is nested too deep."""
    return BodyError(
        400,
        "too_deep",
        f"the body is nested too deeply: more than {limit} lists and objects stand inside each other; arrays here have "
        "at most 2 levels",
    )


def _shorten_number(text: bytes) -> bytes:
    try:
        number = float(text)
    except ValueError:
        # what is wrong with it is said where it is read
        return text
    if math.isfinite(number):
        return repr(number).encode()
    return LARGER_THAN_FLOATS if number > 0 else b"-" + LARGER_THAN_FLOATS


def _cut(raw: bytes | bytearray, limits: Limits) -> Iterator[bytes | bytearray]:
    depth = start = 0
    text, is_answer = b"", False
    for found in TOKEN.finditer(raw):
        token = found[0]
        if token[0] in b'"':
            text = token if depth == 1 else text
        elif token in b"[{":
            depth += 1
            is_answer = text == ANSWERS if depth == 2 else is_answer
            if depth == limits.depth + 1:
                if not is_answer:
                    raise too_deep(limits.depth)
                yield raw[start : found.start()] + b"0"
        elif token in b"]}":
            start = found.end() if depth == limits.depth + 1 else start
            depth -= 1
        elif len(token) > MOST_DIGITS and depth <= limits.depth:
            if depth < 2 or not is_answer:
                raise BodyError(
                    400,
                    "number_too_long",
                    f"a number is written with {len(token)} characters, the limit is {MOST_DIGITS}; float64 holds 17 "
                    "digits of it",
                )
            yield raw[start : found.start()] + _shorten_number(token)
            start = found.end()
    if depth > limits.depth:
        # it is never closed
        raise too_deep(limits.depth)
    yield raw[start:]
