"""Reading bodies: bytes to a checked core object."""

import json
import math
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TypeVar

import orjson
from pydantic import TypeAdapter

from app.errors import BodyError, name_key
from core.budget import Budget
from core.errors import Path

Body = TypeVar("Body")

MOST_KEYS = 20_000
"""A network of 5,000 layers has fewer; each unknown key is an error, and those take time."""

STRING = re.compile(rb'"(?:[^"\\]|\\.)*"')


def parse_body(adapter: TypeAdapter[Body], raw: bytes, *, most_values: int = Budget().numbers) -> Body:
    """Read a request's body.

    Parameters
    ----------
    adapter : TypeAdapter
        Of the class that the body stands for.
    raw : bytes
    most_values : int
        How many values it may hold; more are refused before any is read.

    Returns
    -------
    object
        Of that class, with its invariants checked.

    Raises
    ------
    BodyError
        If the bytes are not UTF-8 or not JSON, or a key stands twice in one object (400); if there is too
        much in it (422).
    pydantic.ValidationError
        If the values are wrong.
    """
    # outside strings JSON has one comma between two values, so their number is known at once
    if (values := raw.count(b",") + 1) > most_values:
        raise BodyError(422, "too_large", f"the body holds about {values} values, the limit is {most_values}")
    _require_json(raw)
    return adapter.validate_json(raw)


class _Constant(float):
    """NaN or Infinity, written as a bare word that is not JSON."""


def _require_json(raw: bytes) -> None:
    # almost every body is sound, and that is seen fast: it parses, and no key was lost on the way, since
    # outside strings JSON has one colon a key; only another body is read slowly, for the reason
    try:
        kept = orjson.dumps(orjson.loads(raw))
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        # some of what orjson refuses is JSON all the same: 1e400, deep nesting
        _explain_json(raw)
        kept = raw
    keys = _count_keys(raw)
    if keys > MOST_KEYS:
        raise BodyError(422, "too_large", f"the body holds {keys} keys, the limit is {MOST_KEYS}")
    if keys != _count_keys(kept):
        _explain_json(raw)


def _count_keys(text: bytes) -> int:
    # only of text that has parsed: on an unfinished string the pattern would start over at every quote
    return STRING.sub(b"", text).count(b":")


def _explain_json(raw: bytes) -> None:
    constants: list[str] = []

    def note_constant(name: str) -> _Constant:
        constants.append(name)
        return _Constant(math.nan)

    try:
        parsed = json.loads(raw.decode("utf-8"), object_pairs_hook=_require_distinct_keys, parse_constant=note_constant)
        if constants:
            message = f"found {constants[0]}, which is not JSON; every number must be finite"
            raise BodyError(400, "json", message, path=next(_find_constants(parsed, ())))
    except UnicodeDecodeError as error:
        raise BodyError(400, "encoding", f"byte {error.start} is not UTF-8; a JSON body is UTF-8 text") from None
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise BodyError(400, "json", f"the body is not JSON: {error.msg} at {place}") from None
    except RecursionError:
        raise BodyError(400, "json", "the body is nested too deeply; arrays here have at most 2 levels") from None
    except ValueError:
        # Python refuses integers of more digits than it can convert in reasonable time
        limit = sys.get_int_max_str_digits()
        raise BodyError(
            422, "not_finite", f"found a number of more than {limit} digits, which float64 cannot hold"
        ) from None


def _require_distinct_keys(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        [(twice, _)] = Counter(key for key, _ in pairs).most_common(1)
        raise BodyError(
            400, "duplicate_key", f"{name_key([twice])} stands twice in one object; only one of the values could count"
        )
    return found


def _find_constants(value: object, path: Path) -> Iterator[Path]:
    if isinstance(value, _Constant):
        yield path
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        if isinstance(part, _Constant | dict | list):
            yield from _find_constants(part, (*path, key))
