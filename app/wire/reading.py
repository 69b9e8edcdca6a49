"""Reading bodies: bytes to a checked core object."""

import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

import orjson
from pydantic import TypeAdapter, ValidationError
from pydantic_core import InitErrorDetails

from app.errors import BodyError, name_key
from app.wire.limits import DEFAULT_LIMITS, Limits, may_hold_long_number, require_bounds
from app.wire.skeletons import MOST_KEYS, OddBodyError, count_byte, simdjson, skip_mark, split_json
from core.errors import Path

Body = TypeVar("Body")

FAST_FROM = 4096
"""From this many bytes on, arrays are read by simdjson; with less, finding them takes longer than it saves."""

ANSWERS = ("answers",)  # where NaN and Infinity are taken as Python's json writes them: an answer may be anything

LARGE_BYTES = 1024 * 1024
"""Of larger bodies, keys that are missing or not known are looked for first."""

OF_KEYS = {"missing", "unexpected_keyword_argument"}
"""Pydantic's errors that say nothing of values."""

STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"')

INEXACT = (
    "found a whole number that float64 does not hold; every whole number up to 2^53 = 9007199254740992 is held, and "
    "of larger ones some; write a decimal point or an exponent for it to be rounded"
)
LONG_WHOLE = b" " + b"0" * 16
DIGITS_ALIKE = bytes.maketrans(b"123456789[,:-\t\n\r", b"0" * 9 + b" " * 7)


def parse_body(adapter: TypeAdapter[Body], raw: bytes | bytearray, *, limits: Limits = DEFAULT_LIMITS) -> Body:
    """Read a request's body, its arrays fast; whatever is wrong with it is an error of the reference, `read_body`."""
    require_size(raw, limits.values)
    # what simdjson and the classes take has a few levels only
    if simdjson and len(raw) >= FAST_FROM and not may_hold_long_number(raw):
        try:
            return split_json(raw).validate(adapter)
        except (OddBodyError, ValidationError):
            # what is wrong with it, if anything is, the reference says
            pass
    return read_body(adapter, raw, limits=limits)


def read_body(adapter: TypeAdapter[Body], raw: bytes | bytearray, *, limits: Limits = DEFAULT_LIMITS) -> Body:
    """Read a request's body by pydantic alone: the reference for what is taken and for what is said.

    A `BodyError` is 400 where the bytes are not UTF-8 or not JSON, a key stands twice in one object, or it is too deep
    or a number too long; it is 422 where there is too much in it. Wrong values are pydantic's `ValidationError`.
    """
    raw = require_json(raw, limits)
    if len(raw) > LARGE_BYTES:
        _require_keys(adapter, raw)
    body = adapter.validate_json(raw)
    require_exact(raw)
    return body


def _require_keys(adapter: TypeAdapter[Any], raw: bytes | bytearray) -> None:
    """Check the keys of a document without its lists: each error holds a copy of the object that it stands in.

    With its lists, six copies of a body of 4,000,000 numbers took 1.2 GiB.
    """
    try:
        adapter.validate_json(json.dumps(_empty_lists(json.loads(raw))))
    except ValidationError as error:
        of_keys = [item for item in error.errors(include_url=False) if item["type"] in OF_KEYS]
        if of_keys:
            shown = [InitErrorDetails(type=item["type"], loc=item["loc"], input=item["input"]) for item in of_keys]
            raise ValidationError.from_exception_data(error.title, shown, input_type="json") from None


def _empty_lists(value: object) -> object:
    if isinstance(value, dict):
        return {key: _empty_lists(part) for key, part in value.items()}
    return [] if isinstance(value, list) else value


def require_size(raw: bytes | bytearray, most_values: int) -> None:
    """Check that a document does not hold too much, before any of it is read."""
    # outside strings JSON has one comma between two values, so their number is known at once; each takes a byte
    if len(raw) > 2 * most_values and (values := count_byte(raw, b",") + 1) > most_values:
        raise BodyError(422, "too_large", f"the body holds about {values} values, the limit is {most_values}")


class NotJsonError(BodyError):
    """Text that is not JSON."""

    def __init__(self, error: json.JSONDecodeError) -> None:
        place = f"line {error.lineno}, column {error.colno}"
        super().__init__(400, "json", f"the body is not JSON: {error.msg} at {place}")
        self.error = error


class _Found(str):
    """NaN or Infinity, written as a bare word that is not JSON; or a whole number that float64 does not hold."""

    __slots__ = ()


def require_json(raw: bytes | bytearray, limits: Limits = DEFAULT_LIMITS) -> bytes | bytearray:
    """Check that bytes are JSON within the limits in which no key stands twice; return what pydantic is to read."""
    raw = require_bounds(skip_mark(raw), limits)
    # almost every body is sound, and that is seen fast: it parses, and no key was lost on the way, since
    # outside strings JSON has one colon a key; only another body is read slowly, for the reason
    try:
        kept: bytes | bytearray = orjson.dumps(orjson.loads(raw))
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        # some of what orjson refuses is JSON all the same: 1e400
        _explain_json(raw)
        kept = raw
    # without escapes, text stays as it is, and what got lost took its colon with it
    is_plain = b"\\" not in raw and raw.count(b":") == kept.count(b":") <= MOST_KEYS
    if is_plain:
        return raw
    keys = _count_keys(raw)
    if keys > MOST_KEYS:
        raise BodyError(422, "too_large", f"the body holds {keys} keys, the limit is {MOST_KEYS}")
    if keys != _count_keys(kept):
        _explain_json(raw)
    return raw


def _count_keys(text: bytes | bytearray) -> int:
    # only of text that has parsed: on an unfinished string the pattern would start over at every quote
    return STRING.sub(b"", text).count(b":")


def require_exact(raw: bytes | bytearray) -> None:
    """Check that float64 holds every whole number of a JSON document, but for those of answers, without rounding."""
    # two passes at the speed of memory; the digits of a fraction stand behind a point
    if LONG_WHOLE not in raw.translate(DIGITS_ALIKE):
        return
    for path, _ in _find(json.loads(raw.decode(), parse_int=_read_exact), ()):
        if path[:1] != ANSWERS:
            raise BodyError(422, "inexact", INEXACT, path=path)


def _read_exact(text: str) -> float | _Found:
    number = float(text)
    # pydantic says of infinity what is wrong with it, and Python reads no whole number of thousands of digits
    return number if math.isinf(number) or int(number) == int(text) else _Found(text)


def _explain_json(raw: bytes | bytearray) -> None:
    constants: list[_Found] = []

    def note_constant(name: str) -> _Found:
        constants.append(_Found(name))
        return constants[-1]

    try:
        parsed = json.loads(
            raw.decode("utf-8"),
            object_pairs_hook=_require_distinct_keys,
            parse_constant=note_constant,
            # other than int, float takes any number of digits
            parse_int=float,
        )
        for path, name in _find(parsed, ()) if constants else ():
            if path[:1] != ANSWERS:
                raise BodyError(400, "json", f"found {name}, which is not JSON; every number must be finite", path=path)
    except UnicodeDecodeError as error:
        raise BodyError(400, "encoding", f"byte {error.start} is not UTF-8; a JSON body is UTF-8 text") from None
    except json.JSONDecodeError as error:
        raise NotJsonError(error) from None


def _require_distinct_keys(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        [(twice, _)] = Counter(key for key, _ in pairs).most_common(1)
        raise BodyError(
            400, "duplicate_key", f"{name_key([twice])} stands twice in one object; only one of the values could count"
        )
    return found


def _find(value: object, path: Path) -> Iterator[tuple[Path, _Found]]:
    if isinstance(value, _Found):
        yield path, value
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        if isinstance(part, _Found | dict | list):
            yield from _find(part, (*path, key))
