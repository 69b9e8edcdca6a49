"""Bodies whose arrays are read apart: what is left of the document is its skeleton.

A large body is almost all numbers. They are read straight into arrays, and the skeleton, with a placeholder
where each array stood, is validated by the same classes as ever: only the schema of an array is replaced, by
one that takes what the placeholder stands for. Whatever such a reading cannot take for certain as the
reference would, it leaves to the reference, so it accepts nothing else and says nothing of its own.
"""

import secrets
from collections.abc import Callable
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

TAKES = "takes"  # the key in a schema's metadata under which an array's form says what it takes
RESOLVES = "resolves"  # the key under which a form says that arrays may stand anywhere in it, and become lists

# nobody can send what stands for an array
_MARK = secrets.token_hex(16) + ":"

MOST_KEYS = 20_000  # a network of 5,000 layers has fewer; each unknown key is an error, and those take time

MOST_KEYS_OF_ONE = 256
"""No object of the wire has as many, and simdjson looks for a key from the first on: n keys are n² looks."""

FIRST_INEXACT = 2**53  # what float64 reads 2^53 + 1 as, the first whole number that it does not hold

BYTE_ORDER_MARK = b"\xef\xbb\xbf"

MOST_LEVELS = 8  # objects and lists inside each other in a skeleton


BLOCK = 64 * 1024  # bytes are counted in blocks of this many, which stay in the processor's cache

# a parser keeps the memory that it needed for a document, and finding new memory takes half as long as parsing
_PARSERS: list[Any] = []


class OddBodyError(Exception):
    """A body that the reference has to judge; it never leaves this package."""


@dataclass(slots=True)
class Skeleton:
    """A document without its arrays."""

    arrays: dict[str, AnyArray] = field(default_factory=dict)
    document: object = None
    taken: set[str] = field(default_factory=set)

    def hold(self, array: AnyArray) -> str:
        """Keep an array and return its placeholder."""
        placeholder = f"{_MARK}{len(self.arrays)}"
        self.arrays[placeholder] = array
        return placeholder

    def validate(self, adapter: TypeAdapter[Body]) -> Body:
        """Read the document as the class of an adapter; an error only says that the reference has to judge."""
        self.taken.clear()
        body = _validator_of(adapter).validate_json(orjson.dumps(self.document), context=self)
        if len(self.taken) != len(self.arrays):
            # where text belongs, a placeholder passes for it
            raise OddBodyError
        return cast("Body", body)

    def find(self, value: object) -> AnyArray | None:
        """Return the array that a value stands for, or None if it stands for itself."""
        return self.arrays.get(value) if isinstance(value, str) else None

    def take(self, value: object) -> AnyArray | None:
        """Return the same, and note that the array has found its place."""
        array = self.find(value)
        if array is not None:
            self.taken.add(cast("str", value))
        return array

    def resolve(self, value: object) -> object:
        """Put lists in the place of arrays, anywhere in a value."""
        array = self.take(value)
        if array is not None:
            # of an array without numbers one entry an axis says as much, and a million empty lists are a million lists
            return (array if array.size else array[(slice(1),) * array.ndim]).tolist()
        if isinstance(value, dict):
            return {key: self.resolve(part) for key, part in value.items()}
        return [self.resolve(part) for part in value] if isinstance(value, list) else value


def split_json(raw: bytes | bytearray) -> Skeleton:
    """Split a JSON document into arrays of numbers and the rest, unless the reference might read it differently."""
    raw = skip_mark(raw)
    # simdjson skips one as well, a second one here
    if raw.startswith(BYTE_ORDER_MARK):
        raise OddBodyError
    splitter = _Splitter()
    try:
        parser = _PARSERS.pop()
    except IndexError:
        parser = simdjson.Parser()
    try:
        splitter.skeleton.document = splitter.split(parser.parse(raw), 0)
    except (ValueError, TypeError, LookupError, RuntimeError) as error:
        # what simdjson's errors become; the reference says what is wrong
        raise OddBodyError from error
    # one that failed may still be held by the traceback, and cannot be used again
    _PARSERS[:] = [parser]
    # a buffer is flat whatever the lists inside were: each bracket has to be one of a list that was looked at
    if count_byte(raw, b"[") != splitter.n_lists:
        raise OddBodyError
    return splitter.skeleton


def skip_mark(raw: bytes | bytearray) -> bytes | bytearray:
    """Leave out the byte order mark that editors and spreadsheets write before a document."""
    # by itself, removeprefix copies a bytearray in any case
    return raw.removeprefix(BYTE_ORDER_MARK) if raw.startswith(BYTE_ORDER_MARK) else raw


def count_byte(raw: bytes | bytearray, byte: bytes) -> int:
    """Count a byte, where it is frequent several times as fast as `bytes.count`."""
    values = np.frombuffer(raw, dtype=np.uint8)
    blocks = [values[start : start + BLOCK] for start in range(0, len(raw), BLOCK)]
    return sum(int(np.count_nonzero(block == byte[0])) for block in blocks)


class _Splitter:
    def __init__(self) -> None:
        self.skeleton = Skeleton()
        self.n_lists = 0
        self.n_keys = 0

    def split(self, value: Any, level: int) -> object:
        if level > MOST_LEVELS:
            raise OddBodyError
        if isinstance(value, simdjson.Object):
            return self._split_object(value, level)
        if isinstance(value, int) and abs(value) >= FIRST_INEXACT:
            raise OddBodyError
        return self._split_list(value, level) if isinstance(value, simdjson.Array) else value

    def _split_object(self, value: Any, level: int) -> dict[str, object]:
        keys = list(value.keys())
        self.n_keys += len(keys)
        if len(keys) > MOST_KEYS_OF_ONE or self.n_keys > MOST_KEYS:
            raise OddBodyError
        # an answer may be anything, and what stands twice is said by the reference
        if "answers" in keys or len(set(keys)) != len(keys):
            raise OddBodyError
        # every key that is known is a plain word, and of others some are not found again by their text
        if not all(map(str.isidentifier, keys)):
            raise OddBodyError
        # items() would turn what is inside into Python's lists
        return {key: self.split(value[key], level + 1) for key in keys}

    def _split_list(self, value: Any, level: int) -> object:
        self.n_lists += 1
        first = value[0] if len(value) else None
        if isinstance(first, simdjson.Array):
            if not len(first):
                # wrong wherever it stands, and there may be a million of them
                raise OddBodyError
            self.n_lists += len(value)
            return self.skeleton.hold(_read_matrix(value))
        if isinstance(first, int | float) and not isinstance(first, bool):
            return self.skeleton.hold(_read_vector(value))
        return [self.split(part, level + 1) for part in value]


def _read_vector(value: Any) -> AnyArray:
    try:
        numbers: AnyArray = np.frombuffer(value.as_buffer(of_type="i"), dtype=np.int64)
    except (TypeError, ValueError):
        # one number with a point or an exponent makes them all floating point
        numbers = np.frombuffer(value.as_buffer(of_type="d"), dtype=np.float64)
    return _require_exact(numbers)


def _read_matrix(value: Any) -> AnyArray:
    width, *others = set(map(len, value))
    numbers = np.frombuffer(value.as_buffer(of_type="d"))
    if others or numbers.size != len(value) * width:
        raise OddBodyError
    return _require_exact(numbers.reshape(-1, width))


def _require_exact(numbers: AnyArray) -> AnyArray:
    # a larger one may have been rounded, if it was written as a whole number
    if (
        np.maximum.reduce(numbers, axis=None) >= FIRST_INEXACT
        or np.minimum.reduce(numbers, axis=None) <= -FIRST_INEXACT
    ):
        raise OddBodyError
    return numbers


@lru_cache(maxsize=64)
def _validator_of(adapter: TypeAdapter[Any]) -> SchemaValidator:
    return SchemaValidator(_with_arrays(adapter.core_schema))


def _with_arrays(schema: Any) -> Any:
    """Copy a schema, with those of arrays taking what a placeholder stands for."""
    if isinstance(schema, list | tuple):
        return type(schema)(map(_with_arrays, schema))
    if not isinstance(schema, dict):
        return schema
    metadata = schema.get("metadata")
    if isinstance(metadata, dict) and TAKES in metadata:
        return _taking(metadata[TAKES], cast("CoreSchema", schema))
    if isinstance(metadata, dict) and RESOLVES in metadata:
        return _resolving(cast("CoreSchema", schema))
    return {key: part if key == "metadata" else _with_arrays(part) for key, part in schema.items()}


def _taking(take: Take, reference: CoreSchema) -> CoreSchema:
    def read(
        value: object, handler: core_schema.ValidatorFunctionWrapHandler, info: core_schema.ValidationInfo[Any]
    ) -> object:
        array = info.context.take(value)
        return handler(value) if array is None else take(array)

    return core_schema.with_info_wrap_validator_function(read, reference)


def _resolving(reference: CoreSchema) -> CoreSchema:
    def read(value: object, info: core_schema.ValidationInfo[Any]) -> object:
        return info.context.resolve(value)

    return core_schema.with_info_after_validator_function(read, reference)
