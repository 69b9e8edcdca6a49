"""Reading bodies: bytes to a checked core object."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TypeVar

import orjson
from pydantic import TypeAdapter, ValidationError

from app.errors import BodyError, name_key
from app.wire.limits import DEFAULT_LIMITS, Limits, may_hold_long_number, require_bounds, shorten_number
from app.wire.skeletons import MOST_KEYS, OddBodyError, count_byte, simdjson, split_json
from core.errors import Path

Body = TypeVar("Body")

FAST_FROM = 4096
"""From this many bytes on, arrays are read by simdjson; with less, finding them takes longer than it saves."""

ANSWERS = ("answers",)
"""Where NaN and Infinity are taken as Python's json writes them: an answer may be anything."""

STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"')

LONG_NUMBER = re.compile(rb"(?<![-+.0-9eE])[-+.0-9eE]{640,}")
STRING_OR_LONG_NUMBER = re.compile(STRING.pattern + b"|" + LONG_NUMBER.pattern)


def parse_body(adapter: TypeAdapter[Body], raw: bytes | bytearray, *, limits: Limits = DEFAULT_LIMITS) -> Body:
    """Read a request's body.

    Parameters
    ----------
    adapter : TypeAdapter
        Of the class that the body stands for.
    raw : bytes or bytearray
    limits : Limits
        What it may be like; what is not is refused before any of it is read.

    Returns
    -------
    object
        Of that class, with its invariants checked.

    Raises
    ------
    BodyError
        If the bytes are not UTF-8 or not JSON, a key stands twice in one object, or it is too deep or a number
        too long (400); if there is too much in it (422).
    pydantic.ValidationError
        If the values are wrong.
    """
    require_size(raw, limits.values)
    # what simdjson and the classes take has a few levels only
    if simdjson and len(raw) >= FAST_FROM and not may_hold_long_number(raw, limits.digits):
        try:
            return split_json(raw).validate(adapter)
        except (OddBodyError, ValidationError):
            # what is wrong with it, if anything is, the reference says
            pass
    return read_body(adapter, raw, limits=limits)


def read_body(adapter: TypeAdapter[Body], raw: bytes | bytearray, *, limits: Limits = DEFAULT_LIMITS) -> Body:
    """Read a request's body by pydantic alone: the reference for what is taken and for what is said.

    Parameters
    ----------
    adapter : TypeAdapter
    raw : bytes or bytearray
    limits : Limits

    Returns
    -------
    object

    Raises
    ------
    BodyError, pydantic.ValidationError
        As `parse_body` does.
    """
    return adapter.validate_json(require_json(raw, limits))


def require_size(raw: bytes | bytearray, most_values: int) -> None:
    """Check that a document does not hold too much, before any of it is read.

    Raises
    ------
    BodyError
        422 if it does.
    """
    # outside strings JSON has one comma between two values, so their number is known at once; each takes a byte
    if len(raw) > 2 * most_values and (values := count_byte(raw, b",") + 1) > most_values:
        raise BodyError(422, "too_large", f"the body holds about {values} values, the limit is {most_values}")


class NotJsonError(BodyError):
    """Text that is not JSON.

    Parameters
    ----------
    error : json.JSONDecodeError
        What is wrong, and where.
    """

    def __init__(self, error: json.JSONDecodeError) -> None:
        place = f"line {error.lineno}, column {error.colno}"
        super().__init__(400, "json", f"the body is not JSON: {error.msg} at {place}")
        self.error = error


class _Constant(str):
    """NaN or Infinity, written as a bare word that is not JSON."""

    __slots__ = ()


def require_json(raw: bytes | bytearray, limits: Limits = DEFAULT_LIMITS) -> bytes | bytearray:
    """Check that bytes are JSON in which no key stands twice.

    Parameters
    ----------
    raw : bytes or bytearray
    limits : Limits

    Returns
    -------
    bytes
        The same document, with numbers that pydantic takes.

    Raises
    ------
    BodyError
        If they are not, or not within the limits (400), or there are too many keys (422).
    """
    raw = require_bounds(raw, limits)
    # almost every body is sound, and that is seen fast: it parses, and no key was lost on the way, since
    # outside strings JSON has one colon a key; only another body is read slowly, for the reason
    try:
        kept: bytes | bytearray = orjson.dumps(orjson.loads(raw))
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        # some of what orjson refuses is JSON all the same: 1e400
        _explain_json(raw)
        kept = raw = _shorten_numbers(raw)
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


def _shorten_numbers(raw: bytes | bytearray) -> bytes | bytearray:
    # pydantic takes numbers of thousands of digits for bad JSON; as float64, each has a short form
    return STRING_OR_LONG_NUMBER.sub(_shorten_number, raw) if LONG_NUMBER.search(raw) else raw


def _shorten_number(found: re.Match[bytes]) -> bytes:
    text = found[0]
    if text.startswith(b'"'):
        return text
    return shorten_number(text)


def _count_keys(text: bytes | bytearray) -> int:
    # only of text that has parsed: on an unfinished string the pattern would start over at every quote
    return STRING.sub(b"", text).count(b":")


def _explain_json(raw: bytes | bytearray) -> None:
    constants: list[_Constant] = []

    def note_constant(name: str) -> _Constant:
        constants.append(_Constant(name))
        return constants[-1]

    try:
        parsed = json.loads(
            raw.decode("utf-8"),
            object_pairs_hook=_require_distinct_keys,
            parse_constant=note_constant,
            # other than int, float takes any number of digits
            parse_int=float,
        )
        for path, name in _find_constants(parsed, ()) if constants else ():
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


def _find_constants(value: object, path: Path) -> Iterator[tuple[Path, _Constant]]:
    if isinstance(value, _Constant):
        yield path, value
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        if isinstance(part, _Constant | dict | list):
            yield from _find_constants(part, (*path, key))
