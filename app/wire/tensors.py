"""Arrays as they lie in memory: the binary form of bodies and replies.

    8 bytes     the length of the head, little-endian
    head        the JSON that there would be, with {"datatype", "shape", "parameters": {"binary_data_size"}}
                where each array would stand; spaces at its end make what follows begin at a multiple of 8
    arrays      one after the other, in the order in which they stand in the head, little-endian, rows first

The descriptions are those of the Open Inference Protocol's binary tensors; the length stands in the body and
not in a header, so that a page of another origin can read it and a file can hold it. A client needs no
library for it: in Python `tobytes` and `numpy.frombuffer`, in a browser `Float64Array`.
"""

import json
import math
from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np
import orjson
from pydantic import TypeAdapter, ValidationError

from app.errors import BodyError
from app.wire.fields import are_indices
from app.wire.limits import DEFAULT_LIMITS, Limits
from app.wire.reading import ANSWERS, INEXACT, require_exact, require_json, require_size
from app.wire.skeletons import AnyArray, OddBodyError, Skeleton
from app.wire.writing import encode_one, require_no_null
from core.arrays import as_index
from core.errors import NonFiniteError, Path, counted

Body = TypeVar("Body")

TENSORS_TYPE = "application/vnd.gradmark.tensors"

PREFIX = 8  # bytes of the head's length

DATATYPES = {"FP64": "<f8", "FP32": "<f4", "INT64": "<i8", "INT32": "<i4"}

DESCRIPTION = {"datatype", "shape", "parameters"}
MOST_AXES = 8
MOST_HEAD_BYTES = 1024 * 1024
NOT_FINITE = "found a number that is not finite; every number must be"


def parse_tensors(adapter: TypeAdapter[Body], raw: bytes | bytearray, *, limits: Limits = DEFAULT_LIMITS) -> Body:
    """Read a request's body in binary form as what the JSON form of the same numbers gives.

    A `BodyError` is 400 where the frame is broken or the head is not JSON, 413 where the head is too large, 422 where a
    description does not fit its bytes, a number is not finite, or there is too much. Wrong values are as for JSON.
    """
    reader = _Reader(raw, limits)
    skeleton = reader.read()
    try:
        body = skeleton.validate(adapter)
    except (OddBodyError, ValidationError) as error:
        if isinstance(error, ValidationError) and not _speaks_of_placeholder(error, skeleton):
            raise
        # an array of another rank, or where none belongs, is refused whatever its further numbers are
        adapter.validate_json(orjson.dumps(_to_plain(skeleton.document, skeleton)))
        raise BodyError(422, "shape", "an array does not fit its place; its datatype or shape is another") from None
    require_exact(reader.head)
    return body


def encode_tensors(reply: object) -> bytes:
    """Write a reply in binary form; fields that are None are left out."""
    arrays: list[AnyArray] = []

    def describe(value: object) -> object:
        if isinstance(value, np.ndarray) and value.ndim and value.dtype.kind == "f":
            arrays.append(np.ascontiguousarray(value, dtype="<f8"))
            return _describe(arrays[-1])
        return value.tolist() if isinstance(value, np.ndarray | np.generic) else encode_one(value)

    head = orjson.dumps(reply, default=describe, option=orjson.OPT_PASSTHROUGH_DATACLASS)
    require_no_null(head)
    if not all(np.isfinite(array).all() for array in arrays):
        raise NonFiniteError("a number of the reply does not fit float64, whose largest is about 1.8e308")
    head += b" " * (-len(head) % PREFIX)
    return b"".join([len(head).to_bytes(PREFIX, "little"), head, *(array.data for array in arrays)])


def _describe(array: AnyArray) -> dict[str, object]:
    return {"datatype": "FP64", "shape": array.shape, "parameters": {"binary_data_size": array.nbytes}}


def find_head(raw: bytes | bytearray) -> bytes | bytearray | None:
    """Find the JSON at the beginning of a body in binary form, unless the body is shorter than it says."""
    length = int.from_bytes(raw[:PREFIX], "little")
    return None if len(raw) < PREFIX or length > len(raw) - PREFIX else raw[PREFIX : PREFIX + length]


def _require_characters(document: object) -> None:
    try:
        json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise BodyError(400, "json", "text holds half of a surrogate pair; needed whole characters") from None


class _Reader:
    def __init__(self, raw: bytes | bytearray, limits: Limits) -> None:
        head = find_head(raw)
        if head is None:
            raise BodyError(
                400,
                "frame",
                f"the body has {counted(len(raw), 'byte')}; needed the length of the head in the first {PREFIX}, "
                "little-endian, then so many bytes of JSON, then the arrays",
            )
        if len(head) > MOST_HEAD_BYTES:
            raise BodyError(
                413,
                "tensor_head_too_large",
                f"the head has {len(head)} bytes of JSON, the limit is {MOST_HEAD_BYTES}; numbers belong into the "
                "arrays behind it",
            )
        self._raw, self._limits, self._most_values = raw, limits, limits.values
        self.head = head
        self._start = PREFIX + len(head)
        self._skeleton = Skeleton()

    def read(self) -> Skeleton:
        require_size(self.head, self._most_values)
        self.head = head = require_json(self.head, self._limits)
        try:
            document = orjson.loads(head)
        except orjson.JSONDecodeError:
            # 1e400, and among answers NaN
            document = json.loads(head, parse_int=_read_whole)
            _require_characters(document)
        self._skeleton.document = self._split(document, ())
        if self._start != len(self._raw):
            raise BodyError(
                400,
                "frame",
                f"found {counted(len(self._raw) - self._start, 'byte')} behind the arrays that the head describes; "
                "needed none",
            )
        return self._skeleton

    def _split(self, value: object, path: Path) -> object:
        if isinstance(value, float) and not math.isfinite(value):
            if path[:1] != ANSWERS:
                raise BodyError(422, "not_finite", f"{NOT_FINITE}, up to about 1.8e308", path=path)
            return self._skeleton.hold(np.array(value))
        if isinstance(value, dict):
            if value.keys() == DESCRIPTION:
                return self._skeleton.hold(self._read_array(value, path))
            return {key: self._split(part, (*path, key)) for key, part in value.items()}
        return [self._split(part, (*path, i)) for i, part in enumerate(value)] if isinstance(value, list) else value

    def _read_array(self, description: Mapping[str, Any], path: Path) -> AnyArray:
        datatype, shape = description["datatype"], description["shape"]
        if not isinstance(datatype, str) or datatype not in DATATYPES:
            needed = ", ".join(DATATYPES)
            raise BodyError(422, "choice", f"this datatype is not known; needed one of {needed}", path=path)
        if not _is_shape(shape):
            message = f"the shape of an array is a list of at most {MOST_AXES} whole numbers of at least 0"
            raise BodyError(422, "shape", message, path=path)
        size = math.prod(shape) * np.dtype(DATATYPES[datatype]).itemsize
        # an empty array may have a long axis, whose lists would be built one by one
        if math.prod(max(1, extent) for extent in shape) > self._most_values:
            raise BodyError(422, "too_large", "the body holds more numbers than the limit allows", path=path)
        if description["parameters"] != {"binary_data_size": size}:
            raise BodyError(
                422,
                "shape",
                f"an array of this datatype and shape has {size} bytes; its parameters have to say "
                f'{{"binary_data_size": {size}}}, and nothing else',
                path=path,
            )
        if self._start + size > len(self._raw):
            left = len(self._raw) - self._start
            raise BodyError(
                400,
                "frame",
                f"an array of {size} bytes is described, the rest of the body has {counted(left, 'byte')}",
                path=path,
            )
        # a copy of its own: at an odd address sums are added up in another order, and the last digits differ
        array = np.array(np.frombuffer(self._raw, DATATYPES[datatype], math.prod(shape), self._start)).reshape(shape)
        self._start += size
        self._most_values -= array.size
        if path[:1] != ANSWERS:
            _require_finite(array, path)
            _require_exact(array, path)
        return array


def _is_shape(value: object) -> bool:
    return (
        isinstance(value, list)
        and len(value) <= MOST_AXES
        and all(isinstance(extent, int) and not isinstance(extent, bool) and extent >= 0 for extent in value)
    )


def _require_finite(array: AnyArray, path: Path) -> None:
    finite = np.isfinite(array)
    if not finite.all():
        index = as_index(int(finite.argmin()), array.shape)
        raise BodyError(422, "not_finite", f"{NOT_FINITE}, for sums and products with it to be", path=(*path, *index))


def _require_exact(array: AnyArray, path: Path) -> None:
    if array.dtype != np.int64:
        return
    floats = array.astype(np.float64)
    # 2^63 is no int64, so that what is rounded up to it is another number
    exact = (floats < 2.0**63) & (np.where(floats < 2.0**63, floats, 0.0).astype(np.int64) == array)
    if not exact.all():
        index = as_index(int(exact.argmin()), array.shape)
        raise BodyError(422, "inexact", INEXACT, path=(*path, *index))


def _speaks_of_placeholder(error: ValidationError, skeleton: Skeleton) -> bool:
    return any(skeleton.find(item["input"]) is not None for item in error.errors(include_url=False))


def _read_whole(text: str) -> float:
    # one of more than 64 bits is no index, and of thousands of digits Python reads none
    number = float(text)
    return int(text) if abs(number) < 2.0**63 else number


def _to_plain(value: object, skeleton: Skeleton) -> object:
    """Put lists back for arrays, with as few numbers as say what is wrong with them."""
    array = skeleton.find(value)
    if array is not None:
        return _shorten(array).tolist()
    if isinstance(value, dict):
        return {key: _to_plain(part, skeleton) for key, part in value.items()}
    return [_to_plain(part, skeleton) for part in value] if isinstance(value, list) else value


def _shorten(array: AnyArray) -> AnyArray:
    """Keep one entry an axis; of what may be class indices all up to the first that is none."""
    if array.ndim != 1:
        return array[(slice(1),) * array.ndim]
    return array[: int(are_indices(array).argmin()) + 1] if array.size else array
