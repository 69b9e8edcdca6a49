"""Bodies whose arrays are read apart: what is left of the document is its skeleton.

A large body is almost all numbers. They are read straight into arrays, and the skeleton, with a placeholder
where each array stood, is validated by the same classes as ever: only the schema of an array is replaced, by
one that takes what the placeholder stands for. Whatever such a reading cannot take for certain as the
reference would, it leaves to the reference, so it accepts nothing else and says nothing of its own.
"""

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any, TypeVar, cast

import numpy as np
import numpy.typing as npt
import orjson
from pydantic import TypeAdapter
from pydantic_core import CoreSchema, SchemaValidator, core_schema

Body = TypeVar("Body")
AnyArray = npt.NDArray[Any]
Take = Callable[[AnyArray], object]

# there are Python versions that it has no wheel for; pydantic reads everything as well
simdjson: Any = import_module("simdjson") if find_spec("simdjson") else None

TAKES = "takes"
"""The key in a schema's metadata under which an array's form says what it takes."""

# nobody can send what stands for an array
_MARK = secrets.token_hex(16) + ":"

MOST_LEVELS = 8
"""Objects and lists inside each other in a skeleton."""


BLOCK = 64 * 1024
"""Bytes are counted in blocks of this many, which stay in the processor's cache."""

# a parser keeps the memory that it needed for a document, and finding new memory takes half as long as parsing
_PARSERS: list[Any] = []


class OddBodyError(Exception):
    """A body that the reference has to judge; it never leaves this package."""


@dataclass(slots=True)
class Skeleton:
    """A document without its arrays."""

    arrays: list[AnyArray] = field(default_factory=list)
    document: object = None

    def hold(self, array: AnyArray) -> str:
        """Keep an array and return its placeholder."""
        self.arrays.append(array)
        return f"{_MARK}{len(self.arrays) - 1}"

    def validate(self, adapter: TypeAdapter[Body]) -> Body:
        """Read the document as the class of an adapter.

        Raises
        ------
        OddBodyError, pydantic.ValidationError
            If it is not one; the reference says why.
        """
        content = orjson.dumps(self.document)
        return cast("Body", _validator_of(adapter).validate_json(content, context=self.arrays))


def find_array(value: object, arrays: list[AnyArray]) -> AnyArray | None:
    """Return the array that a value of a skeleton stands for, or None if it stands for itself."""
    if isinstance(value, str) and value.startswith(_MARK):
        return arrays[int(value.removeprefix(_MARK))]
    return None


def split_json(raw: bytes | bytearray) -> Skeleton:
    """Split a JSON document into arrays of numbers and the rest.

    Parameters
    ----------
    raw : bytes

    Returns
    -------
    Skeleton

    Raises
    ------
    OddBodyError
        If there is anything in it that simdjson and the reference might read differently.
    """
    splitter = _Splitter()
    try:
        parser = _PARSERS.pop()
    except IndexError:
        parser = simdjson.Parser()
    try:
        splitter.skeleton.document = splitter.split(parser.parse(raw), 0)
    except (ValueError, TypeError, RuntimeError) as error:
        raise OddBodyError from error
    # one that failed may still be held by the traceback, and cannot be used again
    _PARSERS[:] = [parser]
    # a buffer is flat whatever the lists inside were: each bracket has to be one of a list that was looked at
    if count_byte(raw, b"[") != splitter.n_lists:
        raise OddBodyError
    return splitter.skeleton


def count_byte(raw: bytes | bytearray, byte: bytes) -> int:
    """Count a byte, where it is frequent several times as fast as `bytes.count`."""
    values = np.frombuffer(raw, dtype=np.uint8)
    blocks = [values[start : start + BLOCK] for start in range(0, len(raw), BLOCK)]
    return sum(int(np.count_nonzero(block == byte[0])) for block in blocks)


class _Splitter:
    def __init__(self) -> None:
        self.skeleton = Skeleton()
        self.n_lists = 0

    def split(self, value: Any, level: int) -> object:
        if level > MOST_LEVELS:
            raise OddBodyError
        if isinstance(value, simdjson.Object):
            return dict(self._entries(value, level))
        return self._split_list(value, level) if isinstance(value, simdjson.Array) else value

    def _entries(self, value: Any, level: int) -> Iterator[tuple[str, object]]:
        keys = list(value.keys())
        # an answer may be anything, and what stands twice is said by the reference
        if "answers" in keys or len(set(keys)) != len(keys):
            raise OddBodyError
        # items() would turn what is inside into Python's lists
        return ((key, self.split(value[key], level + 1)) for key in keys)

    def _split_list(self, value: Any, level: int) -> object:
        self.n_lists += 1
        first = value[0] if len(value) else None
        if isinstance(first, simdjson.Array) and len(first):
            self.n_lists += len(value)
            return self.skeleton.hold(_read_matrix(value))
        if isinstance(first, int | float) and not isinstance(first, bool):
            return self.skeleton.hold(_read_vector(value))
        return [self.split(part, level + 1) for part in value]


def _read_vector(value: Any) -> AnyArray:
    try:
        return np.frombuffer(value.as_buffer(of_type="i"), dtype=np.int64)
    except (TypeError, ValueError):
        # class indices are whole numbers; one with a point or an exponent makes them all floating point
        return np.frombuffer(value.as_buffer(of_type="d"), dtype=np.float64)


def _read_matrix(value: Any) -> AnyArray:
    width, *others = set(map(len, value))
    numbers = np.frombuffer(value.as_buffer(of_type="d"))
    if others or numbers.size != len(value) * width:
        raise OddBodyError
    return numbers.reshape(-1, width)


@lru_cache(maxsize=64)
def _validator_of(adapter: TypeAdapter[Any]) -> SchemaValidator:
    return SchemaValidator(_with_arrays(adapter.core_schema))


def _with_arrays(schema: Any) -> Any:
    """Copy a schema, with those of arrays taking what a placeholder stands for."""
    if isinstance(schema, list | tuple):
        return type(schema)(map(_with_arrays, schema))
    if not isinstance(schema, dict):
        return schema
    take: Take | None = schema.get("metadata", {}).get(TAKES) if isinstance(schema.get("metadata"), dict) else None
    if take is not None:
        return _taking(take, cast("CoreSchema", schema))
    return {key: part if key == "metadata" else _with_arrays(part) for key, part in schema.items()}


def _taking(take: Take, reference: CoreSchema) -> CoreSchema:
    def read(
        value: object, handler: core_schema.ValidatorFunctionWrapHandler, info: core_schema.ValidationInfo[Any]
    ) -> object:
        array = find_array(value, info.context)
        return handler(value) if array is None else take(array)

    return core_schema.with_info_wrap_validator_function(read, reference)
