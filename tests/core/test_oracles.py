"""The oracle's own tests: it must accept the right derivative and reject one wrong by 0.1 %."""

import numpy as np
import pytest
from mpmath import mp  # type: ignore[import-untyped]  # mpmath carries no types

from core.conventions import L2, Conventions
from core.formulas import parse_formula
from core.problem import Layer, Network, Problem
from tests.support import oracles
from tests.support.problems import two_layers

ROW = np.array([0.3, -1.2, 0.8])


def test_a_formula_is_evaluated_at_fifty_digits() -> None:
    with mp.workdps(50):
        found = oracles.evaluate_formula(parse_formula("e^Z"), Z=oracles.exact([1.0]))
    assert mp.nstr(found[0], 40) == "2.718281828459045235360287471352662497757"


def test_floats_are_taken_as_the_exact_numbers_they_are() -> None:
    with mp.workdps(60):
        assert mp.nstr(oracles.exact(0.1)[()], 55) == "0.1000000000000000055511151231257827021181583404541015625"


@pytest.mark.parametrize(
    ("text", "derivative"),
    [
        ("e^Z", lambda z: np.diag(np.exp(z))),
        ("Z^3", lambda z: np.diag(3 * z**2)),
        ("sum_outputs(Z²)", lambda z: 2 * z),
        ("max(Z, 0)", lambda z: np.diag(np.where(z > 0, 1.0, 0.0))),
        ("Z∘sum_outputs(Z)", lambda z: z.sum() * np.eye(len(z)) + np.outer(z, np.ones(len(z)))),
    ],
)
def test_differences_give_derivatives_known_by_hand(text: str, derivative: object) -> None:
    assert callable(derivative)
    with mp.workdps(50):
        found = oracles.differentiate(lambda z: oracles.evaluate_formula(parse_formula(text), Z=z), oracles.exact(ROW))
    # the hand-written derivative is float64
    np.testing.assert_allclose(found.astype(float), derivative(ROW), rtol=1e-15, atol=1e-15)


def test_an_entry_by_entry_derivative_is_a_diagonal_matrix() -> None:
    one = np.asarray(mp.mpf(1), dtype=object)
    assert oracles.as_matrix(one, 2).tolist() == [[1, 0], [0, 1]]
    assert oracles.as_matrix(oracles.exact([[1.0, 2.0], [3.0, 4.0]]), 2).tolist() == [[1, 2], [3, 4]]


def test_the_loss_and_gradient_of_one_linear_neuron_are_right_by_hand() -> None:
    layer = Layer(weights=np.array([[2.0]]), bias=np.array([1.0]), activation="identity")
    problem = Problem(
        network=Network(layers=(layer,)),
        inputs=np.array([[1.0], [3.0]]),
        targets=np.array([[0.0], [5.0]]),
        loss="squared_error",
        conventions=Conventions(l2=L2(strength=0.5, factor=1.0, biases=True)),
    )
    # outputs 3 and 7, off by 3 and 2: (9 + 4)/2 + ½·(4 + 1); dL/dw = (2·3·1 + 2·2·3)/2 + 2·½·2
    assert oracles.exact_loss(problem)[()] == 9.0
    assert float(oracles.exact_gradient(problem, "W1")[0, 0]) == 11.0


def test_the_loss_of_uniform_predictions_is_the_logarithm_of_their_number() -> None:
    layer = Layer(weights=np.zeros((1, 8)), activation="softmax")
    problem = Problem(
        network=Network(layers=(layer,)),
        inputs=np.array([[1.0], [1.0]]),
        targets=np.array([3, 5]),
        loss="cross_entropy",
        conventions=Conventions(reduction="sum", log_base=2),
    )
    assert float(oracles.exact_loss(problem)[()]) == 6.0


def test_a_derivative_wrong_by_a_thousandth_is_rejected_and_the_right_one_accepted() -> None:
    truth = oracles.activation_jacobian("tanh", ROW)
    right = np.diag(1.0 - np.tanh(ROW) ** 2)
    for wrong in (right * 1.001, right * 0.999, right + 0.001 * np.eye(3)[::-1]):
        assert oracles.array_error(wrong, truth) > 5e-4
        assert oracles.entry_errors(wrong, truth).max() > 5e-4
    # float64's rounding alone
    assert oracles.array_error(right, truth) < 1e-15
    assert oracles.entry_errors(right, truth).max() < 1e-15


def test_a_gradient_of_a_whole_problem_wrong_by_a_thousandth_is_rejected() -> None:
    problem = two_layers()
    truth = oracles.exact_gradient(problem, "W1")
    right = truth.astype(np.float64)
    wrong = right.copy()
    wrong.flat[int(np.abs(right).argmax())] *= 1.001
    assert oracles.array_error(wrong, truth) > 5e-4
    assert oracles.array_error(right, truth) < 1e-15


def test_numbers_below_the_normal_range_are_compared_with_its_least() -> None:
    with mp.workdps(50):
        truth = np.array([mp.mpf(10) ** -400, mp.mpf(1)], dtype=object)
    assert oracles.entry_errors([0.0, 1.0], truth).max() < 1e-15
    assert oracles.entry_errors([0.0, 1.001], truth).max() > 9e-4


def test_zeros_have_no_error_against_zeros() -> None:
    assert oracles.array_error([0.0], oracles.exact([0.0])) == 0.0
    assert oracles.array_error([0.5], oracles.exact([0.0])) == 0.5
