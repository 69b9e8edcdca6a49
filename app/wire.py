"""The only place where JSON meets NumPy: arrays, names, the body parser, the encoder."""

import json
import math
import re
import sys
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import fields, is_dataclass
from typing import Annotated, Any, TypeAlias, TypeVar, cast

import numpy as np
import orjson
from pydantic import ConfigDict, Field, GetCoreSchemaHandler, GetJsonSchemaHandler, TypeAdapter
from pydantic.config import JsonDict
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from app.errors import BodyError
from core.activations import ACTIVATIONS
from core.arrays import Array
from core.budget import Budget
from core.conventions import LOG_BASES, REDUCTIONS
from core.errors import Path, ShapeError
from core.losses import LOSSES
from core.quantities import ID_PATTERN

Body = TypeVar("Body")

STRICT = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)
"""What every wire class is: no conversions, no unknown keys, descriptions from docstrings."""

LARGEST_LABEL = 2**31 - 1

MOST_KEYS = 50_000
"""A network of 10,000 layers has fewer; each unknown key is an error, and those take time."""

STRING = re.compile(rb'"(?:[^"\\]|\\.)*"')

FINITE = core_schema.float_schema(strict=True, allow_inf_nan=False)
LABEL = core_schema.int_schema(strict=True, ge=-LARGEST_LABEL, le=LARGEST_LABEL)


def _rows(items: CoreSchema, n_axes: int) -> CoreSchema:
    for _ in range(n_axes):
        # one error a list is enough: a body of a million wrong numbers gets a short answer
        items = core_schema.list_schema(items, min_length=1, fail_fast=True)
    return items


def _nested(items: JsonSchemaValue, n_axes: int) -> JsonSchemaValue:
    for _ in range(n_axes):
        items = {"type": "array", "items": items, "minItems": 1}
    return items


def _array(value: list[Any]) -> Array:
    return np.array(value, dtype=np.float64)


def _labels(value: list[int]) -> Array:
    return np.array(value, dtype=np.int64)


def _matrix(value: list[list[float]]) -> Array:
    for index, row in enumerate(value):
        if len(row) != len(value[0]):
            raise ShapeError(
                f"row {index} has {len(row)} numbers, row 0 has {len(value[0])}; they must be equal because an "
                "array has one number for each row and column",
                path=(index,),
            )
    return _array(value)


def _drop_null(schema: JsonDict) -> None:
    schema.pop("default", None)
    match schema.get("anyOf"):
        case [choice, {"type": "null"}]:
            del schema["anyOf"]
            schema.update(cast("JsonDict", choice))


LEFT_OUT = Field(json_schema_extra=_drop_null)
"""An optional field may be left out; null is not one of its values."""


class Form:
    """The JSON form of a field: how it is read, and how OpenAPI shows it.

    Parameters
    ----------
    schema : CoreSchema
        How pydantic reads it.
    shown : dict
        Its JSON schema.
    """

    def __init__(self, schema: CoreSchema, shown: JsonSchemaValue) -> None:
        self.schema = schema
        self.shown = shown

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Return how pydantic reads the field, whatever its Python type."""
        # a copy of its own: pydantic writes each field's JSON form into the schema that it is given
        return cast("CoreSchema", dict(self.schema))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Return how OpenAPI shows the field."""
        return dict(self.shown)


def _form(read: Any, items: CoreSchema, shown: JsonSchemaValue) -> Form:
    return Form(core_schema.no_info_after_validator_function(read, items), shown)


def _choice(names: Collection[str | int]) -> Form:
    return Form(core_schema.literal_schema(list(names)), {"enum": list(names)})


def _tag_of(value: object) -> str:
    return "<rows>" if isinstance(value, list) and value and isinstance(value[0], list) else "<labels>"


def _tag_of_sample(value: object) -> str:
    return "<row>" if isinstance(value, list) else "<label>"


NUMBER: JsonSchemaValue = {"type": "number"}
LABEL_SHOWN: JsonSchemaValue = {"type": "integer", "minimum": 0, "maximum": LARGEST_LABEL}

VECTOR = _form(_array, _rows(FINITE, 1), _nested(NUMBER, 1))
MATRIX = _form(_matrix, _rows(FINITE, 2), _nested(NUMBER, 2))
# the edge gives a single sample its axis: rank never varies inside the core
SAMPLE = _form(lambda value: _array([value]), _rows(FINITE, 1), _nested(NUMBER, 1))
TARGETS = Form(
    core_schema.tagged_union_schema(
        {
            "<labels>": core_schema.no_info_after_validator_function(_labels, _rows(LABEL, 1)),
            "<rows>": MATRIX.schema,
        },
        discriminator=_tag_of,
    ),
    {"anyOf": [_nested(LABEL_SHOWN, 1), _nested(NUMBER, 2)]},
)
SAMPLE_TARGET = Form(
    core_schema.tagged_union_schema(
        {
            "<label>": core_schema.no_info_after_validator_function(lambda value: _labels([value]), LABEL),
            "<row>": SAMPLE.schema,
        },
        discriminator=_tag_of_sample,
    ),
    {"anyOf": [LABEL_SHOWN, _nested(NUMBER, 1)]},
)
VALUE = Form(
    core_schema.no_info_after_validator_function(_array, core_schema.any_schema()),
    {"anyOf": [_nested(NUMBER, n_axes) for n_axes in range(4)]},
)
"""A reply's array of any rank."""

Vector: TypeAlias = Annotated[Array, VECTOR]
OptionalVector: TypeAlias = Annotated[Array | None, VECTOR]
Matrix: TypeAlias = Annotated[Array, MATRIX]
Sample: TypeAlias = Annotated[Array, SAMPLE]
Targets: TypeAlias = Annotated[Array, TARGETS]
OptionalTargets: TypeAlias = Annotated[Array | None, TARGETS]
SampleTarget: TypeAlias = Annotated[Array, SAMPLE_TARGET]
Value: TypeAlias = Annotated[Array, VALUE]
OptionalNumber: TypeAlias = Annotated[float | None, Form(FINITE, NUMBER)]
L2Factor: TypeAlias = Annotated[float, Form(FINITE, {"enum": [0.5, 1]})]
ActivationName: TypeAlias = Annotated[str, _choice(ACTIVATIONS)]
LossName: TypeAlias = Annotated[str, _choice(LOSSES)]
OptionalLossName: TypeAlias = Annotated[str | None, _choice(LOSSES)]
ReductionName: TypeAlias = Annotated[str, _choice(REDUCTIONS)]
LogBase: TypeAlias = Annotated[str | int, _choice(LOG_BASES)]
QuantityId: TypeAlias = Annotated[
    str, Form(core_schema.str_schema(strict=True), {"type": "string", "pattern": ID_PATTERN})
]
OptionalLabels: TypeAlias = Annotated[
    tuple[str, ...] | None,
    Form(core_schema.tuple_variable_schema(core_schema.str_schema()), {"type": "array", "items": {"type": "string"}}),
]


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
        If the bytes are not UTF-8 or not JSON, a key stands twice in one object, or there is too much in it.
    pydantic.ValidationError
        If the values are wrong.
    """
    # outside strings JSON has one comma between two values, so their number is known at once
    if (values := raw.count(b",") + 1) > most_values:
        raise BodyError(422, "too_large", f"the body holds about {values} values, the limit is {most_values}")
    _require_json(raw)
    return adapter.validate_json(raw)


def encode(reply: object) -> bytes:
    """Write a reply as JSON; fields that are None are left out.

    Parameters
    ----------
    reply : object
        Dataclasses, mappings, sequences, strings, numbers and arrays, all of them finite.

    Returns
    -------
    bytes
        UTF-8.
    """
    return orjson.dumps(
        reply,
        default=_encode_one,
        option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_NON_STR_KEYS,
    )


def _encode_one(value: object) -> object:
    if is_dataclass(value):
        named = ((field.name, getattr(value, field.name)) for field in fields(value))
        return {name: part for name, part in named if part is not None}
    if isinstance(value, np.ndarray):
        # orjson takes arrays in memory order only, and no array without axes
        return np.ascontiguousarray(value) if value.ndim else float(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


class _Constant(float):
    """NaN or Infinity, written as a bare word that is not JSON."""


def _require_json(raw: bytes) -> None:
    # almost every body is sound, and that is seen fast: it parses, and no key was lost on the way, since
    # outside strings JSON has one colon a key; only another body is read slowly, for the reason
    try:
        parsed = orjson.loads(raw)
        kept = orjson.dumps(parsed)
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        _explain_json(raw)
        return
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
        # a key is repeated in the message only where it can do no harm there
        name = f'the key "{twice}"' if twice.isidentifier() and twice.isascii() and len(twice) <= 64 else "a key"
        raise BodyError(400, "duplicate_key", f"{name} stands twice in one object; only one of the values could count")
    return found


def _find_constants(value: object, path: Path) -> Iterator[Path]:
    if isinstance(value, _Constant):
        yield path
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        if isinstance(part, _Constant | dict | list):
            yield from _find_constants(part, (*path, key))
