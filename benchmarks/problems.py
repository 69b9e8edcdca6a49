"""Problems to measure on, and their JSON."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import orjson

from core.arrays import Array
from core.problem import Layer, Network, Problem


def draw_problem(
    n_samples: int,
    widths: Sequence[int],
    *,
    hidden: str = "relu",
    has_bias: bool = False,
    decimals: int = 17,
    dtype: str = "float64",
) -> Problem:
    """Draw a network with a softmax layer at its end, inputs, and class indices as targets of a cross-entropy."""
    source = np.random.default_rng(0)

    def normal(*shape: int) -> Array:
        return np.round(source.standard_normal(shape), decimals).astype(dtype)

    layers = tuple(
        Layer(
            weights=np.round(normal(n_in, n_out) / n_in**0.5, decimals),
            bias=normal(n_out) if has_bias else None,
            activation="softmax" if number == len(widths) - 1 else hidden,
        )
        for number, (n_in, n_out) in enumerate(pairwise(widths), start=1)
    )
    inputs = normal(n_samples, widths[0])
    labels: Any = source.integers(0, widths[-1], n_samples)
    return Problem(network=Network(layers=layers), inputs=inputs, targets=labels, loss="cross_entropy")


def small_problem() -> Problem:
    """Return a 3-5-4 network with tanh and softmax, at four samples, with one decimal."""
    source = np.random.default_rng(0)

    def tenths(*shape: int) -> Array:
        return np.round(source.uniform(-1.0, 1.0, shape), 1)

    layers = (
        Layer(weights=tenths(3, 5), bias=tenths(5), activation="tanh"),
        Layer(weights=tenths(5, 4), bias=tenths(4), activation="softmax"),
    )
    targets: Any = np.array([0, 2, 2, 1])
    return Problem(network=Network(layers=layers), inputs=tenths(4, 3), targets=targets, loss="cross_entropy")


def describe(problem: Problem) -> dict[str, Any]:
    """Return a problem as a request has it, with NumPy's arrays."""
    layers = [
        {"weights": layer.weights, "activation": layer.activation}
        | ({} if layer.bias is None else {"bias": np.asarray(layer.bias)})
        for layer in problem.network.layers
    ]
    targets = np.asarray(problem.targets)
    return {"network": {"layers": layers}, "inputs": problem.inputs, "targets": targets, "loss": problem.loss}


def write_json(document: object) -> bytes:
    """Write JSON, arrays of NumPy in it."""
    return orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY)
