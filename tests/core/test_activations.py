"""Every activation's value and derivative, against its formula at 400 digits."""

from itertools import pairwise
from typing import cast

import numpy as np
import pytest

from core.activations import ACTIVATIONS
from core.arrays import Array
from core.verification import COMPLEX_STEP
from tests.support import oracles

each_activation = pytest.mark.parametrize("name", ACTIVATIONS)

NUMBERS = (-30.0, -20.5, -11.25, -6.1, -3.3, -1.7, -0.8, -0.25, -1e-3, 1e-9, 0.04, 0.6, 1.3, 2.9, 5.5, 9.75, 19.0, 30.0)
# the last two rows let one output of a softmax take nearly all
ROWS = [np.array(pair) for pair in pairwise(NUMBERS)] + [np.array([30.0, -4.0, 0.5]), np.array([-30.0, -28.5, 1.0])]
EXTREMES = [[1e4, -1e4, 0.0], [1e300, -1e300, 1.0], [-1e300, -1e4, 2.0], [1e4, 1e4, 1e4]]


def full_jacobian(name: str, z: Array) -> Array:
    """Pull the identity back: row i is that of output i."""
    rows = np.eye(len(z))
    return np.array(ACTIVATIONS[name].vjp(z[None, :], ACTIVATIONS[name].value(z[None, :]), rows))


@each_activation
def test_the_value_is_the_formulas_in_both_tails(name: str) -> None:
    for z in ROWS:
        errors = oracles.entry_errors(ACTIVATIONS[name].value(z[None, :])[0], oracles.activation_value(name, z))
        # exp(-x²) turns the half unit in the last place of x = 30/√2 into 450 of the result: 1e-13
        assert errors.max() < 3e-13, z


@each_activation
def test_the_derivative_is_that_of_the_formula_in_both_tails(name: str) -> None:
    for z in ROWS:
        errors = oracles.entry_errors(full_jacobian(name, z), oracles.activation_jacobian(name, z))
        # as above; each entry keeps its digits, however small beside the others
        assert errors.max() < 3e-13, z


@each_activation
def test_the_stated_derivative_is_that_of_the_stated_formula(name: str) -> None:
    for z in ROWS:
        stated, truth = oracles.stated_activation_jacobian(name, z), oracles.activation_jacobian(name, z)
        # two texts at 400 digits; both take float64's 0.01
        assert oracles.entry_errors(stated, truth).max() < 1e-40, z


@each_activation
def test_a_complex_step_through_the_value_gives_the_derivative(name: str) -> None:
    for z in ROWS:
        for column in range(len(z)):
            nudged = z[None, :].astype(np.complex128)
            nudged[0, column] += 1j * COMPLEX_STEP
            slopes = ACTIVATIONS[name].value(cast("Array", nudged))[0].imag / COMPLEX_STEP
            # no cancellation, so small derivatives keep their digits too: the check of right gradients rests on it
            truth = oracles.activation_jacobian(name, z)[:, column]
            assert oracles.entry_errors(slopes, truth).max() < 1e-13, z


@each_activation
@pytest.mark.parametrize("row", EXTREMES, ids=str)
def test_extreme_numbers_give_finite_values_and_derivatives(name: str, row: list[float]) -> None:
    z = np.array([row])
    with np.errstate(over="ignore", invalid="raise", divide="raise", under="ignore"):
        a = ACTIVATIONS[name].value(z)
        pulled = ACTIVATIONS[name].vjp(z, a, np.array([[1.0, -2.0, 0.5]]))
    assert np.isfinite(a).all()
    assert np.isfinite(pulled).all()


@pytest.mark.parametrize(
    ("name", "z", "value", "slope"),
    [
        ("identity", 1e300, 1e300, 1.0),
        ("sigmoid", 1e4, 1.0, 0.0),
        ("sigmoid", -1e4, 0.0, 0.0),
        ("tanh", -1e300, -1.0, 0.0),
        ("relu", 0.0, 0.0, 0.0),
        ("relu", -0.0, 0.0, 0.0),
        ("relu", 1e300, 1e300, 1.0),
        ("leaky_relu", 0.0, 0.0, 0.01),
        ("leaky_relu", -1e4, -100.0, 0.01),
        ("softplus", 1e300, 1e300, 1.0),
        ("softplus", -1e300, 0.0, 0.0),
        ("gelu", 1e300, 1e300, 1.0),
        ("gelu", -1e300, 0.0, 0.0),
        ("gelu", 0.0, 0.0, 0.5),
        ("softmax", 1e300, 1.0, 0.0),
    ],
)
def test_kinks_and_limits_have_the_values_that_are_known(name: str, z: float, value: float, slope: float) -> None:
    row = np.array([[z]])
    with np.errstate(over="ignore"):
        a = ACTIVATIONS[name].value(row)
        found = ACTIVATIONS[name].vjp(row, a, np.array([[1.0]]))
    assert a[0, 0] == value
    assert found[0, 0] == slope


@each_activation
def test_pulling_back_a_stack_of_rows_is_pulling_back_one_by_one(name: str) -> None:
    rng = np.random.default_rng(5)
    z, stack = rng.uniform(-3.0, 3.0, (4, 3)), rng.uniform(-1.0, 1.0, (4, 5, 3))
    a = ACTIVATIONS[name].value(z)
    pulled = np.broadcast_to(ACTIVATIONS[name].vjp(z[:, None, :], a[:, None, :], stack), stack.shape)
    for sample, row in np.ndindex(4, 5):
        alone = ACTIVATIONS[name].vjp(z[[sample]], a[[sample]], stack[[sample], row])
        # the same operations on the same numbers, up to the order of a sum
        np.testing.assert_allclose(pulled[sample, row], alone[0], rtol=1e-15, atol=1e-16)


@each_activation
def test_every_sample_is_activated_on_its_own(name: str) -> None:
    z = np.random.default_rng(6).uniform(-3.0, 3.0, (5, 4))
    one_by_one = np.concatenate([ACTIVATIONS[name].value(z[[sample]]) for sample in range(5)])
    np.testing.assert_allclose(ACTIVATIONS[name].value(z), one_by_one, rtol=1e-15)  # the same operations


@each_activation
def test_every_entry_says_what_it_is(name: str) -> None:
    entry = ACTIVATIONS[name]
    assert all((entry.name, entry.formula, entry.derivative, entry.latex, entry.range))


def test_the_softmax_derivative_keeps_its_digits_whatever_constant_the_gradient_carries() -> None:
    z = np.array([[30.0, 0.0, -1.0]])
    softmax = ACTIVATIONS["softmax"]
    a = softmax.value(z)
    truth = oracles.activation_jacobian("softmax", z[0])
    for output in range(3):
        pulled = softmax.vjp(z, a, 1.0 + np.eye(3)[[output]])
        # the constant drops out exactly; without centring all of a small entry's digits would go
        assert oracles.entry_errors(pulled[0], truth[output]).max() < 1e-14


@pytest.mark.parametrize("z", [-0.0, 0.0, -1.0])
def test_where_relu_is_off_there_is_no_minus_zero(z: float) -> None:
    relu, row = ACTIVATIONS["relu"], np.full((2, 3), z)
    # either sign of the gradient, and of a long row as of a short one
    for array in (row, np.full((1, 1000), z)):
        for off in (relu.value(array), relu.vjp(array, array, array + 2.0), relu.vjp(array, array, array - 2.0)):
            assert not off.any()
            assert not np.signbit(off).any()
