"""The check of gradients: it accepts right ones, names the worst of wrong ones, and knows its cost."""

import numpy as np
import pytest

from core.arrays import Array
from core.budget import Budget
from core.errors import TooLargeError, UnknownNameError
from core.problem import Layer, Network, Problem
from core.propagation import gradient_names
from core.steps import evaluate
from core.verification import METHODS, check_gradients, differentiate_numerically
from tests import oracles
from tests.problems import two_layers

BY_METHOD = {"complex_step": 1e-12, "central_differences": 1e-6}


def gradients_of(problem: Problem) -> dict[str, Array]:
    """Run the backward pass."""
    return evaluate(problem, gradient_names(problem))


@pytest.mark.parametrize("method", METHODS)
def test_right_gradients_pass(method: str) -> None:
    problem = two_layers()
    check = check_gradients(problem, gradients_of(problem), method=method)
    assert check.method == method
    assert check.max_rel_error <= BY_METHOD[method]  # rounding alone, and rounding over a step
    assert check.max_abs_error <= BY_METHOD[method]  # entries of at most 1


@pytest.mark.parametrize("method", METHODS)
def test_an_entry_wrong_by_a_thousandth_is_named(method: str) -> None:
    problem = two_layers()
    for name in gradient_names(problem):
        gradients = {key: value.copy() for key, value in gradients_of(problem).items()}
        index = np.unravel_index(int(np.abs(gradients[name]).argmax()), gradients[name].shape)
        right = float(gradients[name][index])
        gradients[name][index] *= 1.001
        check = check_gradients(problem, gradients, method=method)
        assert check.worst.index == tuple(map(int, index))
        assert check.worst.quantity == name
        assert check.worst.analytic == right * 1.001
        # what the method itself is exact to
        assert check.worst.numeric == pytest.approx(right, rel=BY_METHOD[method])
        assert check.max_rel_error == pytest.approx(0.001 / 1.001, rel=0.01)
        assert check.max_abs_error == pytest.approx(abs(right) * 0.001, rel=0.01)


def test_the_worst_entry_is_the_worst_part_of_its_array_not_the_largest_error() -> None:
    problem = two_layers()
    gradients = gradients_of(problem)
    small = min(gradients, key=lambda name: float(np.abs(gradients[name]).max()))
    large = max(gradients, key=lambda name: float(np.abs(gradients[name]).max()))
    gradients |= {small: gradients[small] * 1.01, large: gradients[large] * 1.001}
    check = check_gradients(problem, gradients)
    assert check.worst.quantity == small
    assert check.max_rel_error == pytest.approx(0.01 / 1.01, rel=1e-6)


def test_a_flipped_sign_is_an_error_of_twice_the_entry() -> None:
    problem = two_layers()
    check = check_gradients(problem, {"dL_dX": -gradients_of(problem)["dL_dX"]})
    assert check.max_rel_error == pytest.approx(2.0)


@pytest.mark.parametrize("gap", [1.0, 10.0, 20.0, 30.0])
def test_right_gradients_pass_however_sure_a_hidden_softmax_is(gap: float) -> None:
    hidden = Layer(weights=np.array([[gap, 0.0, -1.0]]), activation="softmax")
    output = Layer(weights=np.array([[1.0], [-0.5], [0.7]]), activation="identity")
    problem = Problem(
        network=Network(layers=(hidden, output)),
        inputs=np.array([[1.0]]),
        targets=np.array([[0.3]]),
        loss="squared_error",
    )
    gradients = gradients_of(problem)
    assert oracles.array_error(gradients["dL_dW1"], oracles.exact_gradient(problem, "W1")) < 1e-13
    # so a larger error would be the check's own
    assert check_gradients(problem, gradients).max_rel_error <= 1e-10


def test_gradients_that_are_zero_throughout_have_no_error() -> None:
    layer = Layer(weights=np.array([[-1.0]]), activation="relu")
    problem = Problem(
        network=Network(layers=(layer,)), inputs=np.array([[2.0]]), targets=np.array([[0.5]]), loss="squared_error"
    )
    check = check_gradients(problem, gradients_of(problem))
    assert (check.max_abs_error, check.max_rel_error) == (0.0, 0.0)


@pytest.mark.parametrize("method", METHODS)
def test_numeric_derivatives_have_the_shape_of_what_they_are_taken_by(method: str) -> None:
    problem = two_layers()
    for name, gradient in gradients_of(problem).items():
        numeric = differentiate_numerically(problem, name, method=method)
        assert numeric.shape == gradient.shape
        assert np.isrealobj(numeric)


def test_an_unknown_method_lists_the_choices() -> None:
    with pytest.raises(UnknownNameError, match="needed one of complex_step, central_differences"):
        check_gradients(two_layers(), {}, method="forward_differences")


def test_a_check_over_the_budget_is_refused_with_its_cost() -> None:
    problem = two_layers()
    gradients = gradients_of(problem)
    entries = sum(gradient.size for gradient in gradients.values())
    with pytest.raises(TooLargeError, match=f"the check takes {entries} forward passes, one an entry"):
        check_gradients(problem, gradients, budget=Budget(operations=entries * 1_000_000))
    check_gradients(problem, gradients, budget=Budget(operations=entries * 4_000_000))


def test_gradients_fainter_than_the_method_sees_are_not_called_wrong() -> None:
    layer = Layer(weights=np.array([[690.0, 0.0]]), activation="softmax")
    problem = Problem(
        network=Network(layers=(layer,)), inputs=np.ones((1, 1)), targets=np.array([0]), loss="cross_entropy"
    )
    assert 0 < abs(gradients_of(problem)["dL_dW1"][0, 0]) < 1e-299
    assert check_gradients(problem, gradients_of(problem)).max_rel_error < 1e-9


@pytest.mark.parametrize("scale", [1e8, 1e17, 1e30])
def test_right_gradients_pass_however_large_the_inputs_are(scale: float) -> None:
    layer = Layer(weights=np.array([[0.7 / scale]]), activation="tanh")
    problem = Problem(
        network=Network(layers=(layer,)),
        inputs=np.array([[scale]]),
        targets=np.zeros((1, 1)),
        loss="half_squared_error",
    )
    assert check_gradients(problem, gradients_of(problem)).max_rel_error < 1e-13
