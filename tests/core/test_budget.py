"""Budgets: what is too large is refused from its shapes, before anything is allocated."""

import tracemalloc
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest

from core.activations import ACTIVATIONS
from core.budget import CALL_COST, Budget, forward_operations
from core.descent import descend
from core.errors import TooLargeError
from core.jacobians import compute_jacobians
from core.problem import Layer, Network, Problem
from core.propagation import compute_forward, compute_gradients
from core.softmax_layer import SoftmaxLayer, compute_softmax_layer
from tests.support.problems import two_layers


def network(*widths: int) -> Network:
    """Build softmax layers of ones."""
    return Network(layers=tuple(Layer(weights=np.ones(pair), activation="softmax") for pair in pairwise(widths)))


def problem(*widths: int, n_samples: int = 1) -> Problem:
    """Build a problem of these sizes."""
    return Problem(
        network=network(*widths),
        inputs=np.ones((n_samples, widths[0])),
        targets=np.zeros(n_samples, dtype=np.int64),
        loss="cross_entropy",
    )


SQUARE = problem(400, 400)
TALL = problem(1, 100_000, n_samples=1000)
DEEP = problem(2, 3000, 2)
LAYER = SoftmaxLayer(weights=np.ones((400, 400)), inputs=np.ones((1, 400)), target=np.array([0]), quantities=("dS_dW",))


@pytest.mark.parametrize(
    ("compute", "message"),
    [
        (lambda: compute_jacobians(SQUARE, ["dS_dW"]), "dS_dW has 1 × 400 × 160000 entries, all asked for so far"),
        (lambda: compute_jacobians(SQUARE, ["dZ_dX", "dZ_dW"]), "dZ_dW has 1 × 400 × 160000 entries"),
        (lambda: compute_jacobians(TALL, ["dS_dZ"]), "dS_dZ has 1000 × 100000 × 100000 entries"),
        (lambda: compute_jacobians(DEEP, ["dA1_dX"]), "dA1_dX has 1 × 3000 × 2 entries"),
        (lambda: compute_softmax_layer(LAYER), "dS_dW has 1 × 400 × 160000 entries"),
        (lambda: compute_forward(TALL), "1000 samples and up to 100000 outputs a layer: that is 300001000 numbers"),
        (lambda: compute_gradients(TALL), "1000 samples and up to 100000 outputs a layer: that is 400102000 numbers"),
        (lambda: compute_gradients(TALL, check=True), "1000 samples and up to 100000 outputs a layer"),
        (lambda: descend(TALL, 0.1, 0), "arrays for 1000 samples"),
        (lambda: descend(SQUARE, 0.1, 10**9), "1000000000 steps of"),
    ],
)  # fmt: skip
def test_gigabytes_are_refused_before_a_megabyte_is_allocated(compute: Callable[[], object], message: str) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(TooLargeError) as caught:
            compute()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert message in str(caught.value)
    assert peak < 1_000_000


def test_a_forward_pass_costs_its_products_and_its_calls() -> None:
    cost = ACTIVATIONS["softmax"].cost
    assert forward_operations(network(2, 3, 4), 5) == 5 * (2 * 3 + 3 * 4 + (3 + 4) * cost) + 2 * 2 * CALL_COST


@pytest.mark.parametrize("over", [0, 1])
def test_a_budget_is_met_to_the_number(over: int) -> None:
    # Z1, A1, Z2, A2, y and losses of three samples
    numbers = 3 * (3 + 3 + 2 + 2 + 2 + 1)
    budget = Budget(numbers=numbers - over)
    if not over:
        assert compute_forward(two_layers(), budget=budget).outputs.shape == (3, 2)
        return
    with pytest.raises(TooLargeError, match=f"that is {numbers} numbers, the limit is {numbers - 1}"):
        compute_forward(two_layers(), budget=budget)


@pytest.mark.parametrize("over", [0, 1])
def test_a_computation_is_met_to_the_operation(over: int) -> None:
    operations = 3 * forward_operations(two_layers().network, 3)
    budget = Budget(operations=operations - over)
    if not over:
        assert compute_gradients(two_layers(), budget=budget).loss > 0.0
        return
    with pytest.raises(TooLargeError, match=f"that is about {operations} multiply-adds, the limit is {operations - 1}"):
        compute_gradients(two_layers(), budget=budget)


def test_a_refusal_says_what_asked_for_it() -> None:
    with pytest.raises(TooLargeError, match="a table: that is 11 numbers, the limit is 10") as caught:
        Budget(numbers=10).require_numbers(11, "a table", path=("rows", 3))
    assert caught.value.path == ("rows", 3)
    with pytest.raises(TooLargeError, match="a walk: that is about 11 multiply-adds, the limit is 10") as caught:
        Budget(operations=10).require_operations(11, "a walk", path=("count",))
    assert caught.value.path == ("count",)


def test_a_forward_pass_is_not_charged_for_a_backward_pass() -> None:
    forward = forward_operations(two_layers().network, 3)
    assert compute_forward(two_layers(), budget=Budget(operations=forward)).loss is not None
    with pytest.raises(TooLargeError, match="a forward pass: that is about"):
        compute_forward(two_layers(), budget=Budget(operations=forward - 1))


def test_many_ids_are_refused_before_they_are_read() -> None:
    with pytest.raises(TooLargeError, match="100000 derivatives, at least a forward pass each") as caught:
        compute_jacobians(DEEP, ["not an id"] * 100_000)
    assert caught.value.path == ("jacobians",)
