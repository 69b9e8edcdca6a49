"""Gradient descent: the same as steps by hand, and where it refuses."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from core.arrays import Array
from core.budget import CALL_COST, Budget
from core.descent import descend
from core.errors import CoreError, DomainError, NonFiniteError, TooLargeError
from core.problem import Layer, Network, Problem
from core.propagation import compute_gradients
from tests.support.problems import random_problem, two_layers


def line(weight: float = 1.0, x: float = 1.0) -> Problem:
    """Build the loss (w·x)²."""
    layer = Layer(weights=np.array([[weight]]), activation="identity")
    network = Network(layers=(layer,))
    return Problem(network=network, inputs=np.array([[x]]), targets=np.array([[0.0]]), loss="squared_error")


def stepped(bias: Array | None, grad: Array | None) -> Array | None:
    """Step a bias by a hundredth of its gradient; one that is missing stays so."""
    return None if bias is None or grad is None else np.asarray(bias - 0.01 * grad)


@pytest.mark.parametrize("seed", range(20))
def test_descent_is_steps_by_hand(seed: int) -> None:
    start = problem = random_problem(seed)
    losses = []
    for _ in range(3):
        found = compute_gradients(problem)
        losses.append(found.loss)
        layers = tuple(
            replace(layer, weights=layer.weights - 0.01 * by.grad_weights, bias=stepped(layer.bias, by.grad_bias))
            for layer, by in zip(problem.network.layers, found.layers, strict=True)
        )
        problem = replace(problem, network=Network(layers=layers))
    losses.append(compute_gradients(problem).loss)
    descent = descend(start, 0.01, 3)
    # the same operations in the same order
    assert descent.losses == tuple(losses)
    assert descent.conventions is start.conventions
    for layer, expected in zip(descent.network.layers, problem.network.layers, strict=True):
        np.testing.assert_array_equal(layer.weights, expected.weights)
        assert (layer.bias is None) == (expected.bias is None)
        if layer.bias is not None and expected.bias is not None:
            np.testing.assert_array_equal(layer.bias, expected.bias)


def test_small_steps_make_the_loss_smaller_and_leave_the_start_alone() -> None:
    problem = two_layers()
    weights = problem.network.layers[0].weights.copy()
    losses = descend(problem, 0.1, 10).losses
    assert len(losses) == 11
    assert all(after < before for before, after in pairwise(losses))
    np.testing.assert_array_equal(problem.network.layers[0].weights, weights)


def test_a_line_is_descended_as_by_hand() -> None:
    # w − 2·0.25·w is half of w
    descent = descend(line(), 0.25, 3)
    assert descent.losses == (1.0, 0.25, 0.0625, 0.015625)
    assert descent.network.layers[0].weights.tolist() == [[0.125]]


def test_a_rate_of_zero_stays_where_it_is() -> None:
    descent = descend(line(), 0.0, 4)
    assert descent.losses == (1.0,) * 5
    assert descent.network.layers[0].weights.tolist() == [[1.0]]


def test_no_step_is_the_loss_alone() -> None:
    problem = two_layers()
    descent = descend(problem, 0.5, 0)
    assert descent.losses == (compute_gradients(problem).loss,)
    assert descent.network is problem.network


@pytest.mark.parametrize(
    ("rate", "count", "error", "path", "message"),
    [
        (-0.1, 1, DomainError, ("learning_rate",), "the learning_rate is -0.1; needed a finite number of at least 0"),
        (float("inf"), 1, DomainError, ("learning_rate",), "the learning_rate is inf"),
        (float("nan"), 1, DomainError, ("learning_rate",), "the learning_rate is nan"),
        (0.1, -1, DomainError, ("count",), "the count is -1; needed at least 0 steps"),
        (0.1, 20_000, TooLargeError, ("count",), "20000 steps of"),
        (
            1e200,
            5,
            NonFiniteError,
            ("learning_rate",),
            "after 1 of 5 steps: L, or a number on the way to it, does not fit float64",
        ),
        (
            1e100,
            9,
            NonFiniteError,
            ("learning_rate",),
            "after 2 of 9 steps: L, or a number on the way to it, does not fit float64",
        ),
        (1e308, 5, NonFiniteError, ("learning_rate",), "the stepped weights do not fit float64"),
    ],
)
def test_steps_that_lead_nowhere_are_refused(
    rate: float, count: int, error: type[CoreError], path: tuple[str, ...], message: str
) -> None:
    with pytest.raises(error) as caught:
        descend(line(x=3.0), rate, count)
    assert type(caught.value) is error
    assert message in str(caught.value)
    assert caught.value.path == path


def test_a_start_that_does_not_fit_float64_is_not_the_rates_fault() -> None:
    with pytest.raises(NonFiniteError, match="L, or a number on the way to it, does not fit float64") as caught:
        descend(line(weight=1e200), 0.1, 5)
    assert caught.value.path == ()
    assert "learning_rate" not in str(caught.value)


def test_the_budget_counts_all_steps_together() -> None:
    fitting = Budget(operations=3 * (1 + 20 + 2 * CALL_COST) * 6)
    assert len(descend(line(), 0.25, 5, budget=fitting).losses) == 6
    with pytest.raises(TooLargeError, match="6 steps of 600063"):
        descend(line(), 0.25, 6, budget=fitting)
