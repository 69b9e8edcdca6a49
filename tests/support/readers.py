"""Large bodies of every kind, and everything that can be seen of how a reader reads them."""

from collections.abc import Callable
from dataclasses import fields, is_dataclass
from typing import Any, cast

import numpy as np
from pydantic import TypeAdapter, ValidationError

from app.errors import BodyError, describe_error
from app.schemas.compute_bodies import ForwardBody, GradientsBody, JacobiansBody, SoftmaxLayerBody, StepsBody
from app.schemas.grade_bodies import AuditBody, GradeBody
from app.wire.skeletons import OddBodyError, split_json

Json = dict[str, Any]

SOURCE = np.random.default_rng(4)


def numbers(*shape: int) -> list[Any]:
    return cast("list[Any]", SOURCE.normal(scale=3.0, size=shape).tolist())


def whole(n_rows: int, n_columns: int) -> list[list[int]]:
    return cast("list[list[int]]", SOURCE.integers(-9, 9, (n_rows, n_columns)).tolist())


LAYER = {"weights": numbers(30, 12), "bias": numbers(12), "activation": "tanh"}

SOFTMAX = {"weights": whole(12, 4), "bias": [1, 2.5, -3, 0], "activation": "softmax"}

PROBLEM: Json = {
    "network": {"layers": [LAYER, SOFTMAX]},
    "inputs": numbers(3, 30),
    "targets": [0, 3, 1],
    "loss": "cross_entropy",
}

DISTRIBUTION = [[0.25, 0.25, 0.5, 0], [0, 0, 1, 0], [1, 0.0, 0, 0]]

BODIES: list[tuple[type, Json]] = [
    (ForwardBody, PROBLEM),
    (GradientsBody, PROBLEM | {"check": True, "targets": DISTRIBUTION}),
    (GradientsBody, PROBLEM | {"targets": [0.0, 3.0, 1]}),
    (StepsBody, PROBLEM | {"learning_rate": 0.5, "count": 3, "conventions": {"l2": {"strength": 1}, "log_base": 2}}),
    (JacobiansBody, PROBLEM | {"jacobians": ["dS_dZ", "dL_dW1"], "conventions": {"reduction": "sum"}}),
    (SoftmaxLayerBody, {"weights": numbers(20, 12), "inputs": numbers(20), "target": 2, "quantities": ["S", "dL_dW"]}),
    (SoftmaxLayerBody, {"weights": numbers(20, 12), "inputs": numbers(20), "target": [0.5, 0.5] + [0] * 10}),
    (AuditBody, {"problem": PROBLEM, "asks": ["dL_dW1"], "decimals": 3}),
    (GradeBody, {"problem": PROBLEM, "answers": {"dL_dW2": numbers(12, 4), "L": "[1]"}}),
]


def outcome(read: Callable[..., object], adapter: TypeAdapter[Any], raw: bytes | bytearray) -> object:
    """Return everything that can be seen of a reading: each bit of what is read, or each word of the refusal."""
    try:
        return seen(read(adapter, raw))
    except (BodyError, ValidationError) as error:
        return describe_error(error)


def seen(value: object) -> object:
    """Return each type and each bit of a value."""
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.shape, value.tobytes()
    if is_dataclass(value):
        return type(value), [(field.name, seen(getattr(value, field.name))) for field in fields(value)]
    if isinstance(value, tuple | list):
        return [seen(part) for part in value]
    if isinstance(value, dict):
        return [(key, seen(part)) for key, part in value.items()]
    return type(value), repr(value)


def is_read_fast(adapter: TypeAdapter[Any], raw: bytes) -> bool:
    """Whether simdjson's reader takes a body."""
    try:
        split_json(raw).validate(adapter)
    except (OddBodyError, ValidationError):
        return False
    return True
