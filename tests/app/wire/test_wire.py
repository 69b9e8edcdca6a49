"""Where JSON meets NumPy: numbers arrive and leave to the last digit."""

import json
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from app.errors import BodyError
from app.schemas.compute_bodies import LayerBody
from app.wire.reading import parse_body
from app.wire.writing import encode
from core.arrays import Array
from core.errors import NonFiniteError
from core.problem import Layer

LAYER: TypeAdapter[LayerBody] = TypeAdapter(LayerBody)

finite = st.floats(allow_nan=False, allow_infinity=False)


@dataclass(frozen=True)
class Reply:
    name: str
    value: Array
    absent: Array | None = None


@given(st.lists(finite, min_size=1))
def test_numbers_survive_the_wire_to_the_last_bit(numbers: list[float]) -> None:
    body = json.dumps({"weights": [numbers], "activation": "relu"}).encode()
    weights = parse_body(LAYER, body).weights
    assert weights.dtype == np.float64
    np.testing.assert_array_equal(weights, [numbers])
    np.testing.assert_array_equal(json.loads(encode(weights)), [numbers])


@given(st.from_regex(r"-?(0|[1-9][0-9]{0,30})(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,2})?", fullmatch=True))
def test_literals_are_read_as_python_reads_them(literal: str) -> None:
    body = f'{{"weights": [[{literal}]], "activation": "relu"}}'.encode()
    if literal.removeprefix("-").isdigit() and int(literal) != float(literal):
        with pytest.raises(BodyError) as caught:
            parse_body(LAYER, body)
        assert (caught.value.code, caught.value.path) == ("inexact", ("weights", 0, 0))
    else:
        assert parse_body(LAYER, body).weights[0, 0] == float(literal)


def test_a_validated_body_is_a_core_object() -> None:
    layer = parse_body(LAYER, b'{"weights": [[1, 2]], "bias": [0, 1], "activation": "tanh"}')
    assert isinstance(layer, Layer)
    assert (layer.n_in, layer.n_out) == (1, 2)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (np.eye(2), b"[[1.0,0.0],[0.0,1.0]]"),
        (np.eye(2)[:, ::-1], b"[[0.0,1.0],[1.0,0.0]]"),
        (np.arange(6.0).reshape(2, 3).T, b"[[0.0,3.0],[1.0,4.0],[2.0,5.0]]"),
        (np.array(0.1), b"0.1"),
        ({"a": (1, 2)}, b'{"a":[1,2]}'),
        (Reply("x", np.ones(1)), b'{"name":"x","value":[1.0]}'),
        (Reply("x", np.ones(1), np.zeros(1)), b'{"name":"x","value":[1.0],"absent":[0.0]}'),
    ],
)
def test_replies_are_written_without_what_is_absent(value: object, written: bytes) -> None:
    assert encode(value) == written


@pytest.mark.parametrize("value", [np.array([1.0, np.nan]), {"loss": float("inf")}, np.array(-np.inf)])
def test_what_is_not_finite_never_leaves(value: object) -> None:
    with pytest.raises(NonFiniteError):
        encode(value)


def test_what_has_no_json_form_is_an_error() -> None:
    with pytest.raises(TypeError, match="not JSON serializable"):
        encode({"a": object()})
