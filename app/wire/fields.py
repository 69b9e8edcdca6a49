"""The JSON forms of fields: how each is read, and how OpenAPI shows it."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeAlias, TypeVar, cast, dataclass_transform, get_args

import numpy as np
import numpy.typing as npt
from pydantic import ConfigDict, Field, GetCoreSchemaHandler, GetJsonSchemaHandler, with_config
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from app.wire.skeletons import RESOLVES, TAKES, AnyArray, OddBodyError, Take
from core.activations import ACTIVATIONS
from core.answers import MOST_AXES
from core.arrays import Array, Flags
from core.conventions import COLUMN_ORDERS, L2_FACTORS, LOG_BASES, REDUCTIONS, RELU_SLOPES
from core.errors import ShapeError, counted
from core.exercises import KINDS
from core.grading import LEVELS
from core.losses import LOSSES
from core.quantities import ID_PATTERN

Described = TypeVar("Described")
Form = TypeVar("Form")

STRICT = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)


@dataclass_transform(kw_only_default=True, frozen_default=True, eq_default=False, field_specifiers=(field,))
def wire_class(described: type[Described]) -> type[Described]:
    """Make a dataclass of what is read or written as JSON.

    It is strict: no conversions, no unknown keys. Its descriptions in OpenAPI are the docstrings of its fields.
    """
    return with_config(STRICT)(dataclass(frozen=True, kw_only=True, eq=False)(described))


LARGEST_WHOLE = 2**31 - 1

_after = core_schema.no_info_after_validator_function

FINITE = core_schema.float_schema(strict=True, allow_inf_nan=False)
WHOLE = core_schema.int_schema(strict=True, ge=-LARGEST_WHOLE, le=LARGEST_WHOLE)


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


def _drop_point(value: object) -> object:
    # frameworks write class indices as floating point: 1.0
    return int(value) if isinstance(value, float) and value.is_integer() else value


INDEX = core_schema.no_info_before_validator_function(_drop_point, WHOLE)


def _labels(value: list[int]) -> Array:
    return np.array(value, dtype=np.int64)


def _matrix(value: list[list[float]]) -> Array:
    for index, row in enumerate(value):
        if len(row) != len(value[0]):
            raise ShapeError(
                f"row {index} has {counted(len(row), 'number')}, row 0 has {len(value[0])}; they must be equal because "
                "an array has one number for each row and column",
                path=(index,),
            )
    return _array(value)


class _Present:
    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Return how pydantic reads the field: without the None that stands for its absence."""
        [present] = [choice for choice in get_args(source) if choice is not type(None)]
        return handler(present)


LeftOut: TypeAlias = Annotated[Form | None, _Present()]
"""What may be left out: absent where it is None; null is not one of its values."""


class JsonField:
    """The JSON form of a field: how pydantic reads it, and the JSON schema that OpenAPI shows."""

    def __init__(self, schema: CoreSchema, shown: JsonSchemaValue) -> None:
        self.schema = schema
        self.shown = shown

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Return how pydantic reads the field, whatever its Python type."""
        # a copy of its own: pydantic writes each field's JSON form into the schema that it is given
        return cast("CoreSchema", {**self.schema, "metadata": dict(self.schema.get("metadata", {}))})

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Return how OpenAPI shows the field: in its place, or once under a name."""
        if "ref" not in self.schema:
            return dict(self.shown)
        reference = handler(schema)
        named = handler.resolve_ref_schema(reference)
        named.clear()
        named.update(self.shown)
        return reference


def _take(array: AnyArray, n_axes: int) -> Array:
    if array.ndim != n_axes or array.size == 0:
        raise OddBodyError
    return np.ascontiguousarray(array, dtype=np.float64)


def _take_targets(array: AnyArray) -> Array:
    if array.ndim != 1:
        return _take(array, 2)
    if array.size == 0 or not are_indices(array).all():
        raise OddBodyError
    return cast("Array", array.astype(np.int64))


def _take_sample(array: AnyArray) -> Array:
    return _take(array, 1)[None]


def _take_sample_target(array: AnyArray) -> Array:
    return _take_sample(array) if array.ndim else _take_targets(array[None])


def are_indices(array: AnyArray) -> npt.NDArray[np.bool_]:
    """Tell which finite numbers are read as class indices: whole ones within the limits, however they are written."""
    return np.asarray((array <= LARGEST_WHOLE) & (array >= -LARGEST_WHOLE) & (np.trunc(array) == array))


def _choice(schema_name: str, names: Collection[str | int]) -> JsonField:
    # OpenAPI has each choice once, under this name: clients then have one type for it
    return JsonField(core_schema.literal_schema(list(names), ref=schema_name), _show_choices(names))


def _number_choice(numbers: Collection[float]) -> JsonField:
    # the core says which numbers these are
    return JsonField(FINITE, _show_choices(numbers))


def _show_choices(choices: Collection[str | float]) -> JsonSchemaValue:
    """Show names as an enum, and numbers as a range: generators of clients drop operations over an enum of numbers."""
    names = [choice for choice in choices if isinstance(choice, str)]
    numbers = [choice for choice in choices if not isinstance(choice, str)]
    shown: list[JsonSchemaValue] = [{"type": "string", "enum": names}] if names else []
    if numbers:
        kind = "integer" if all(isinstance(number, int) for number in numbers) else "number"
        shown.append({"type": kind, "minimum": min(numbers), "maximum": max(numbers), "examples": numbers})
    return shown[0] if len(shown) == 1 else {"anyOf": shown}


def _floats(read: Callable[[Any], Array], n_axes: int, take: Take) -> JsonField:
    numbers = _rows(FINITE, n_axes)
    return JsonField(_after(read, numbers, metadata={TAKES: take}), _nested(NUMBER, n_axes))


def _tag_of(value: object) -> str:
    return "<rows>" if isinstance(value, list) and value and isinstance(value[0], list) else "<labels>"


def _tag_of_sample(value: object) -> str:
    return "<row>" if isinstance(value, list) else "<label>"


NUMBER: JsonSchemaValue = {"type": "number"}
WHOLE_SHOWN: JsonSchemaValue = {"type": "integer", "minimum": 0, "maximum": LARGEST_WHOLE}

VECTOR = _floats(_array, 1, lambda array: _take(array, 1))
MATRIX = _floats(_matrix, 2, lambda array: _take(array, 2))
# the edge gives a single sample its axis: rank never varies inside the core
SAMPLE = _floats(lambda value: _array([value]), 1, _take_sample)
TARGETS = JsonField(
    core_schema.tagged_union_schema(
        {
            "<labels>": _after(_labels, _rows(INDEX, 1)),
            "<rows>": MATRIX.schema,
        },
        discriminator=_tag_of,
        metadata={TAKES: _take_targets},
    ),
    {"anyOf": [_nested(WHOLE_SHOWN, 1), _nested(NUMBER, 2)]},
)
SAMPLE_TARGET = JsonField(
    core_schema.tagged_union_schema(
        {
            "<label>": _after(lambda value: _labels([value]), INDEX),
            "<row>": SAMPLE.schema,
        },
        discriminator=_tag_of_sample,
        metadata={TAKES: _take_sample_target},
    ),
    {"anyOf": [WHOLE_SHOWN, _nested(NUMBER, 1)]},
)
ANSWERS = JsonField(
    core_schema.dict_schema(
        core_schema.str_schema(strict=True), core_schema.any_schema(metadata={RESOLVES: True}), strict=True
    ),
    # anything may stand for an answer: one that cannot be read has a verdict of its own
    {"type": "object", "additionalProperties": {}, "propertyNames": {"pattern": ID_PATTERN}},
)
VALUE = JsonField(
    _after(_array, core_schema.any_schema()),
    {"anyOf": [_nested(NUMBER, n_axes) for n_axes in range(4)]},
)
"""A reply's array of any rank."""

FLAGS = JsonField(
    _after(lambda value: np.array(value, dtype=np.bool_), core_schema.any_schema()),
    # one number may stand in as many brackets as an answer has
    {"anyOf": [_nested({"type": "boolean"}, n_axes) for n_axes in range(MOST_AXES + 1)]},
)

# the core says what is wrong with none
AT_LEAST_ONE = Field(json_schema_extra={"minItems": 1})

Vector: TypeAlias = Annotated[Array, VECTOR]
Matrix: TypeAlias = Annotated[Array, MATRIX]
Sample: TypeAlias = Annotated[Array, SAMPLE]
Targets: TypeAlias = Annotated[Array, TARGETS]
SampleTarget: TypeAlias = Annotated[Array, SAMPLE_TARGET]
Value: TypeAlias = Annotated[Array, VALUE]
EntryFlags: TypeAlias = Annotated[Flags, FLAGS]
Answers: TypeAlias = Annotated[Mapping[str, object], ANSWERS]
WholeNumber: TypeAlias = Annotated[int, JsonField(WHOLE, WHOLE_SHOWN)]
# the core says what is wrong with less, and why
AtLeastZero: TypeAlias = Annotated[float, Field(json_schema_extra={"minimum": 0})]
Level: TypeAlias = Annotated[str, _choice("Level", LEVELS)]
KindName: TypeAlias = Annotated[str, _choice("KindName", KINDS)]
L2Factor: TypeAlias = Annotated[float, _number_choice(L2_FACTORS)]
ReluSlope: TypeAlias = Annotated[float, _number_choice(RELU_SLOPES)]
ActivationName: TypeAlias = Annotated[str, _choice("ActivationName", ACTIVATIONS)]
LossName: TypeAlias = Annotated[str, _choice("LossName", LOSSES)]
ReductionName: TypeAlias = Annotated[str, _choice("ReductionName", REDUCTIONS)]
ColumnOrder: TypeAlias = Annotated[str, _choice("ColumnOrder", COLUMN_ORDERS)]
LogBase: TypeAlias = Annotated[str | int, _choice("LogBase", LOG_BASES)]
QuantityId: TypeAlias = Annotated[str, Field(json_schema_extra={"pattern": ID_PATTERN})]
QuantityIds: TypeAlias = Annotated[tuple[QuantityId, ...], Field(fail_fast=True), AT_LEAST_ONE]
