"""The kernel of softmax with cross-entropy, against the table's plain rules and against formulas at fifty digits."""

import numpy as np
import pytest
from mpmath import mp  # type: ignore[import-untyped]  # mpmath carries no types

from core.arrays import Array
from core.kernels.softmax_cross_entropy import (
    BLOCK_BYTES,
    MAX_CLASSES_ON_SLOW_AXIS,
    Labels,
    compute_logits,
    losses_of,
    to_unscaled_gradient,
)
from core.problem import Layer, Network, Problem
from core.steps import evaluate
from tests.support import oracles

SHAPES = [
    (1, 3, 5),
    (1, 1, 1),
    (8, 10, 10),
    (7, 2, 1),
    (33, 4, MAX_CLASSES_ON_SLOW_AXIS),
    (33, 4, MAX_CLASSES_ON_SLOW_AXIS + 1),
    (1, 3, 300),
    # more rows than a block holds
    (BLOCK_BYTES // (8 * 300) + 5, 2, 300),
    (3, 2, BLOCK_BYTES // 8 + 1),
]
SCALES = [1.0, 1e4]


def draw(shape: tuple[int, int, int], scale: float, dtype: type = np.float64) -> tuple[Array, Array, Labels, Array]:
    """Draw inputs, weights, labels and a bias whose logits are of a scale."""
    n_samples, n_in, n_classes = shape
    rng = np.random.default_rng([*shape, int(scale)])
    inputs: Array = rng.normal(size=(n_samples, n_in)).astype(dtype)
    weights: Array = (scale * rng.normal(size=(n_in, n_classes))).astype(dtype)
    labels = rng.integers(0, n_classes, n_samples)
    # every other prediction is right, and sure where the scale is large
    labels[::2] = (inputs @ weights).argmax(axis=1)[::2]
    return inputs, weights, labels, rng.normal(size=n_classes).astype(dtype)


def plainly(inputs: Array, weights: Array, labels: Labels, bias: Array | None) -> dict[str, Array]:
    """Compute by the table's own rules; what is asked for keeps any kernel out."""
    layer = Layer(weights=weights, bias=bias, activation="softmax")
    problem = Problem(network=Network(layers=(layer,)), inputs=inputs, targets=labels, loss="cross_entropy")
    return evaluate(problem, ["dL_dW1", "dL_dZ1", "losses", "Z1"])


def grad_weights(inputs: Array, weights: Array, labels: Labels, bias: Array | None = None) -> Array:
    """Multiply what the kernel leaves into the mean loss's derivative by W."""
    logits = compute_logits(inputs, weights, bias)
    sums = to_unscaled_gradient(logits, labels)
    return np.asarray((inputs / (sums * inputs.dtype.type(len(inputs)))[:, None]).T @ logits)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("has_bias", [True, False])
def test_the_weight_gradient_is_the_tables(shape: tuple[int, int, int], scale: float, *, has_bias: bool) -> None:
    inputs, weights, labels, bias = draw(shape, scale)
    own = bias if has_bias else None
    found, truth = (
        grad_weights(inputs, weights, labels, own),
        plainly(inputs, weights, labels, own),
    )
    # a few roundings of each of the products that are added up; logits of 1e4 are themselves rounded at 1e-12
    room = (np.abs(inputs).T @ np.abs(truth["dL_dZ1"])) * 1e-14 * max(1.0, scale / 10)
    assert found.shape == weights.shape
    assert (np.abs(found - truth["dL_dW1"]) <= room).all()


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("shape", SHAPES[:5])
def test_entries_and_losses_keep_every_digit(shape: tuple[int, int, int], scale: float) -> None:
    rng = np.random.default_rng(5)
    # exact in binary, so that the oracle sees the same logits
    logits = np.round(scale * rng.normal(size=(shape[0], shape[2])), 2)
    labels = rng.integers(0, shape[2], shape[0])
    labels[::2] = logits.argmax(axis=1)[::2]
    unscaled = compute_logits(logits, np.eye(shape[2]))
    shifts = np.empty(shape[0])
    sums = to_unscaled_gradient(unscaled, labels, shifts)
    losses = losses_of(unscaled, labels, sums, shifts)
    with mp.workdps(oracles.DIGITS):
        for row, label in enumerate(labels):
            powers = [mp.exp(mp.mpf(z)) for z in logits[row]]
            others = mp.fsum(p for k, p in enumerate(powers) if k != label)
            total = others + powers[label]
            for k, power in enumerate(powers):
                exact = (-others if k == label else power) / total
                found = unscaled[row, k] / sums[row]
                # a rounding of the shift, of the power, of the sum and of the quotient; below 1e-300 digits run out
                assert abs(found - exact) <= 4e-14 * abs(exact) + 1e-300
            # ln(1 + others/own), which keeps the loss of a sure prediction
            exact = mp.log1p(others / powers[label]) if others else mp.mpf(0)
            assert abs(losses[row] - exact) <= 1e-14 * abs(exact) + 1e-300


@pytest.mark.parametrize("dtype", [np.int8, np.int32])
def test_a_narrow_integer_type_does_not_overflow(dtype: type) -> None:
    for shape in [(100, 3, 60), (100, 3, 100)]:
        inputs, weights, labels, bias = draw(shape, 1.0)
        narrow = grad_weights(inputs, weights, labels.astype(dtype), bias)
        np.testing.assert_array_equal(narrow, grad_weights(inputs, weights, labels, bias))


@pytest.mark.parametrize("shape", SHAPES)
def test_float32_stays_float32_and_agrees_to_its_digits(shape: tuple[int, int, int]) -> None:
    inputs, weights, labels, bias = draw(shape, 1.0, np.float32)
    found = grad_weights(inputs, weights, labels, bias)
    assert found.dtype == np.float32
    wide = (array.astype(np.float64) for array in (inputs, weights, bias))
    wide_inputs, wide_weights, wide_bias = wide
    truth = plainly(wide_inputs, wide_weights, labels, wide_bias)
    room = np.abs(wide_inputs).T @ np.abs(truth["dL_dZ1"])
    # roundings of float32, some of them of the logits
    assert (np.abs(found - truth["dL_dW1"]) <= 5e-6 * room).all()


def test_arguments_are_left_as_they_are() -> None:
    for shape in [(4, 3, 5), (4, 3, 100)]:
        arguments = draw(shape, 1.0)
        copies = [array.copy() for array in arguments]
        grad_weights(*arguments)
        for array, copy in zip(arguments, copies, strict=True):
            np.testing.assert_array_equal(array, copy)
