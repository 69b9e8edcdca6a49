"""The softmax's Jacobians as matrices, against their definition at fifty digits and against the long way."""

from dataclasses import replace

import numpy as np
import pytest
from mpmath import mp  # type: ignore[import-untyped]  # mpmath carries no types

from core.activations import ACTIVATIONS
from core.arrays import Array
from core.jacobians import compute_jacobians
from core.jacobians.paths import MIN_ROWS_FOR_MATRIX, identity_rows, path_between
from core.kernels.softmax_jacobians import MIN_COLUMNS_FOR_SMALL_BUFFER, jacobian_softmax, jacobian_softmax_by_weights
from core.problem import Layer, Network, Problem
from core.steps import RuleContext, evaluate
from tests.support import oracles

CLASSES = [1, 2, 5, MIN_ROWS_FOR_MATRIX, MIN_COLUMNS_FOR_SMALL_BUFFER - 1, MIN_COLUMNS_FOR_SMALL_BUFFER, 130]


def draw(n_classes: int, *, n_samples: int = 3, n_in: int = 4) -> Problem:
    """Draw a softmax layer whose first sample is sure of its class, over a layer of inputs with a 0 in it."""
    rng = np.random.default_rng(n_classes)
    weights = rng.normal(size=(n_in, n_classes))
    inputs = rng.normal(size=(n_samples, n_in))
    inputs[0] *= 30.0
    inputs[:, 1] = -0.0
    layers = (
        Layer(weights=np.eye(n_in), activation="identity"),
        Layer(weights=weights, bias=rng.normal(size=n_classes), activation="softmax"),
    )
    return Problem(network=Network(layers=layers), inputs=inputs)


@pytest.mark.parametrize("n_classes", CLASSES[:4])
def test_every_entry_keeps_its_digits(n_classes: int) -> None:
    logits = evaluate(draw(n_classes), ["Z2"])["Z2"]
    found = jacobian_softmax(ACTIVATIONS["softmax"].value(logits))
    with mp.workdps(oracles.DIGITS):
        for z, matrix in zip(logits, found, strict=True):
            powers = [mp.exp(mp.mpf(entry)) for entry in z]
            total = mp.fsum(powers)
            for i, own in enumerate(powers):
                for j, other in enumerate(powers):
                    rest = mp.fsum(power for k, power in enumerate(powers) if k != i)
                    exact = own * rest / total**2 if i == j else -own * other / total**2
                    # roundings of logits up to 100 and a few of the products
                    assert abs(matrix[i, j] - exact) <= 1e-13 * abs(exact)


@pytest.mark.parametrize("n_classes", CLASSES)
@pytest.mark.parametrize("by", ["Z2", "W2", "b2", "A1", "W1", "X"])
def test_derivatives_of_many_outputs_are_those_of_the_long_way(n_classes: int, by: str) -> None:
    problem = draw(n_classes)
    links = path_between(problem, "A2", by)
    values = evaluate(problem, {name for link in links for name in link.inputs})
    rows: Array = identity_rows(problem, "A2")
    for link in links:
        rows = link.local.pull(RuleContext(problem, link.step.number), rows, *(values[name] for name in link.inputs))
    found = compute_jacobians(problem, [f"dS_d{by}"]).jacobians[f"dS_d{by}"].value
    assert found.shape == rows.shape
    # roundings in another order
    np.testing.assert_allclose(found, rows, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("n_classes", CLASSES)
def test_the_weights_matrix_of_an_affine_step_is_the_identity_times_the_inputs(n_classes: int) -> None:
    below = draw(n_classes)
    problem = replace(below, network=Network(layers=below.network.layers[1:]))
    found = compute_jacobians(problem, ["dZ_dW"]).jacobians["dZ_dW"].value
    for sample, matrix in zip(problem.inputs, found, strict=True):
        np.testing.assert_array_equal(matrix, np.kron(np.eye(n_classes), sample))
    assert not np.signbit(found[found == 0.0]).any()


def test_no_entry_of_the_jacobian_by_weights_is_minus_zero() -> None:
    found = jacobian_softmax_by_weights(np.array([[0.25, 0.75, 0.0]]), np.array([[0.0, -2.0]]))
    assert not np.signbit(found[found == 0.0]).any()
    np.testing.assert_array_equal(found[0, 0], [0.0, -0.375, 0.0, 0.375, 0.0, 0.0])


@pytest.mark.parametrize(("inputs", "faintest"), [([1.0, -2.0], 0.1), ([1.0, -0.0], 0.1), ([1.0, -2.0], 1e-200)])
def test_no_entry_is_minus_zero_whether_a_product_can_be_or_not(inputs: list[float], faintest: float) -> None:
    probabilities = np.array([[faintest, faintest, 1.0 - 2.0 * faintest]])
    jacobian = jacobian_softmax_by_weights(probabilities, np.array([inputs]))
    by_definition = (np.diag(probabilities[0]) - np.outer(probabilities, probabilities))[:, :, None] * inputs
    np.testing.assert_allclose(jacobian[0], by_definition.reshape(3, -1), rtol=1e-14, atol=1e-190)
    assert not np.signbit(jacobian[jacobian == 0]).any()


def test_the_buffer_of_elementwise_functions_is_left_as_it_was() -> None:
    usual = np.getbufsize()
    jacobian_softmax(np.full((1, MIN_COLUMNS_FOR_SMALL_BUFFER), 1 / MIN_COLUMNS_FOR_SMALL_BUFFER))
    assert np.getbufsize() == usual


def test_an_entrywise_activation_of_many_outputs_is_pulled_back_from_the_identity() -> None:
    rng = np.random.default_rng(1)
    layer = Layer(weights=rng.normal(size=(2, MIN_ROWS_FOR_MATRIX)), activation="tanh")
    problem = Problem(network=Network(layers=(layer,)), inputs=rng.normal(size=(3, 2)))
    found = compute_jacobians(problem, ["dA_dZ", "dA_dW"]).jacobians
    slopes = 1.0 / np.cosh(evaluate(problem, ["Z1"])["Z1"]) ** 2
    for sample, slope, by_logits, by_weights in zip(
        problem.inputs, slopes, found["dA_dZ"].value, found["dA_dW"].value, strict=True
    ):
        np.testing.assert_allclose(by_logits, np.diag(slope), rtol=1e-13)  # roundings of two formulas
        np.testing.assert_allclose(by_weights, np.kron(np.diag(slope), sample), rtol=1e-13)
