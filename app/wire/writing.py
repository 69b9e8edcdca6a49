"""Writing replies: what the core returns to bytes."""

from collections.abc import Callable
from dataclasses import fields, is_dataclass
from operator import attrgetter

import numpy as np
import orjson

from app.wire.reading import STRING
from core.errors import NonFiniteError


def encode(reply: object) -> bytes:
    """Write dataclasses, mappings, sequences, numbers and arrays as JSON; fields that are None are left out."""
    options = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_PASSTHROUGH_DATACLASS
    content = orjson.dumps(reply, default=encode_one, option=options)
    require_no_null(content)
    return content


Parts = tuple[tuple[str, ...], Callable[[object], tuple[object, ...]]]
"""The names of a dataclass's fields, and what reads all of them."""

# one entry for each class of a reply; asking a class anew takes as long as writing its fields
_PARTS: dict[type, Parts | None] = {}


def _parts_of(kind: type) -> Parts | None:
    if kind not in _PARTS:
        names = tuple(field.name for field in fields(kind)) if is_dataclass(kind) else ()
        # of a single name it would return the value itself
        _PARTS[kind] = (names, attrgetter(*names, names[0])) if names else None
    return _PARTS[kind]


def require_no_null(content: bytes) -> None:
    """Check that no null stands for a number that is not finite."""
    # orjson writes what is not finite as null, and nothing else here is written so outside strings: the
    # core's own checks come first, this is the net below them
    if _holds_null(content) and b"null" in STRING.sub(b"", content):
        raise NonFiniteError("a number of the reply does not fit float64, whose largest is about 1.8e308")


def _holds_null(content: bytes) -> bool:
    # among numbers alone a letter is found twenty times as fast as a word
    place = content.find(b"n")
    while place >= 0 and not content.startswith(b"null", place):
        place = content.find(b"n", place + 1)
    return place >= 0


def encode_one(value: object) -> object:
    """Turn what orjson does not know into what it does."""
    found = _parts_of(type(value))
    if found is not None:
        # __dict__ would hold cached properties as well
        names, read = found
        return {name: part for name, part in zip(names, read(value), strict=False) if part is not None}
    if isinstance(value, np.ndarray):
        # orjson takes arrays in memory order only, and no array without axes
        return np.ascontiguousarray(value) if value.ndim else value.item()
    raise TypeError(f"{type(value).__name__} has no JSON form")
