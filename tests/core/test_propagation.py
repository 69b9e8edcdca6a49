"""Forward passes and gradients as callers get them."""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from core.budget import Budget
from core.conventions import L2, Conventions
from core.descent import descend
from core.errors import DomainError, NonFiniteError, TooLargeError, UnknownNameError
from core.problem import Layer, Network, Problem
from core.propagation import compute_forward, compute_gradients, compute_named, gradient_names
from core.steps import evaluate
from tests.support.problems import random_problem, two_layers


@pytest.mark.parametrize("seed", range(20))
def test_a_forward_pass_gives_each_layers_arrays(seed: int) -> None:
    problem = random_problem(seed)
    found = compute_forward(problem)
    values = evaluate(problem, [f"{s}{n}" for n in range(1, problem.network.depth + 1) for s in "ZA"])
    for number, layer in enumerate(found.layers, start=1):
        np.testing.assert_array_equal(layer.pre_activations, values[f"Z{number}"])
        np.testing.assert_array_equal(layer.activations, values[f"A{number}"])
    np.testing.assert_array_equal(found.outputs, found.layers[-1].activations)
    assert found.conventions is problem.conventions


@pytest.mark.parametrize("seed", range(40))
def test_the_loss_is_its_samples_losses_reduced_plus_the_penalty(seed: int) -> None:
    problem = random_problem(seed)
    found = compute_forward(problem)
    assert found.losses is not None
    assert found.losses.shape == (problem.n_samples,)
    l2, layers = problem.conventions.l2, problem.network.layers
    squares = sum(float((layer.weights**2).sum()) for layer in layers)
    if l2.biases:
        squares += sum(float((layer.bias**2).sum()) for layer in layers if layer.bias is not None)
    divisors = {"mean": problem.n_samples, "sum": 1, "mean_over_entries": problem.n_samples * problem.n_out}
    reduced = float(found.losses.sum()) / divisors[problem.conventions.reduction]
    penalty = l2.factor * l2.strength * squares / (problem.n_samples if l2.per_sample else 1)
    # rounding alone
    assert found.loss == pytest.approx(reduced + penalty, rel=1e-13)
    assert compute_gradients(problem).loss == found.loss


def test_without_targets_there_is_no_loss() -> None:
    found = compute_forward(two_layers(loss=None))
    assert (found.loss, found.losses, found.conventions) == (None, None, None)
    np.testing.assert_array_equal(found.outputs, compute_forward(two_layers()).outputs)


@pytest.mark.parametrize(("base", "unit"), [("e", 1.0), (2, math.log(2.0)), (10, math.log(10.0))])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_the_logarithms_base_divides_losses_and_gradients_but_not_the_penalty(
    reduction: str, base: str | int, unit: float
) -> None:
    def with_base(base: str | int, strength: float = 0.0) -> Problem:
        conventions = Conventions(reduction=reduction, log_base=base, l2=L2(strength=strength))
        return replace(two_layers(), conventions=conventions)

    nats, other = compute_gradients(with_base("e")), compute_gradients(with_base(base))
    # one more division each
    assert other.loss == pytest.approx(nats.loss / unit, rel=1e-14)
    np.testing.assert_allclose(other.grad_inputs, nats.grad_inputs / unit, rtol=1e-12)
    losses, losses_in_nats = compute_forward(with_base(base)).losses, compute_forward(with_base("e")).losses
    assert losses is not None
    assert losses_in_nats is not None
    np.testing.assert_allclose(losses, losses_in_nats / unit, rtol=1e-14)
    penalty = compute_gradients(with_base("e", 0.5)).loss - nats.loss
    assert compute_gradients(with_base(base, 0.5)).loss - other.loss == pytest.approx(penalty, rel=1e-12)


def test_a_layer_without_bias_has_no_gradient_by_it() -> None:
    problem = two_layers()
    found = compute_gradients(problem)
    assert gradient_names(problem) == ("dL_dW1", "dL_db1", "dL_dW2", "dL_dX")
    assert [layer.grad_bias is None for layer in found.layers] == [False, True]
    assert [layer.grad_weights.shape for layer in found.layers] == [(2, 3), (3, 2)]
    assert found.grad_inputs.shape == (3, 2)
    assert found.conventions is problem.conventions
    assert found.check is None


def test_a_check_is_made_where_it_is_asked_for() -> None:
    found = compute_gradients(two_layers(), check=True)
    assert found.check is not None
    assert found.check.method == "complex_step"
    assert found.check.max_rel_error < 1e-13  # rounding alone


def test_gradients_that_fit_the_budget_are_checked_as_far_as_it_allows() -> None:
    problem = two_layers()
    gradients_alone = Budget(operations=3_000_000)
    assert compute_gradients(problem, budget=gradients_alone).check is None
    check = compute_gradients(problem, check=True, budget=gradients_alone).check
    assert check is not None
    assert 0 < check.entries.checked < check.entries.of == 21


def test_one_linear_neuron_is_right_by_hand() -> None:
    layer = Layer(weights=np.array([[2.0]]), bias=np.array([1.0]), activation="identity")
    problem = Problem(
        network=Network(layers=(layer,)),
        inputs=np.array([[1.0], [3.0]]),
        targets=np.array([[0.0], [5.0]]),
        loss="squared_error",
        conventions=Conventions(l2=L2(strength=0.5, factor=1.0, biases=True)),
    )
    found = compute_gradients(problem)
    # outputs 3 and 7, off by 3 and 2
    assert found.loss == (9 + 4) / 2 + 0.5 * (4 + 1)
    assert found.layers[0].grad_weights.tolist() == [[(2 * 3 * 1 + 2 * 2 * 3) / 2 + 2 * 0.5 * 2]]
    assert found.layers[0].grad_bias is not None
    assert found.layers[0].grad_bias.tolist() == [(2 * 3 + 2 * 2) / 2 + 2 * 0.5 * 1]
    assert found.grad_inputs.tolist() == [[2 * 3 / 2 * 2], [2 * 2 / 2 * 2]]


@pytest.mark.parametrize("compute", [compute_gradients, lambda problem: descend(problem, 0.1, 1)])
def test_without_targets_there_is_nothing_to_descend(compute: Callable[[Problem], object]) -> None:
    with pytest.raises(UnknownNameError, match="the problem has no L; L and its derivatives need targets and loss"):
        compute(replace(two_layers(), targets=None, loss=None))


def test_a_mean_that_fits_float64_is_given_where_the_sum_does_not_fit() -> None:
    layer = Layer(weights=np.array([[1.2e154]]), activation="identity")
    problem = Problem(
        network=Network(layers=(layer,)),
        inputs=np.ones((2, 1)),
        targets=np.zeros((2, 1)),
        loss="squared_error",
    )
    assert compute_forward(problem).loss == pytest.approx(1.44e308, rel=1e-15)


def test_losses_in_another_base_that_do_not_fit_float64_are_refused() -> None:
    layer = Layer(weights=np.array([[8e307, -8e307]]), activation="softmax")
    problem = Problem(
        network=Network(layers=(layer,)),
        inputs=np.ones((2, 1)),
        targets=np.array([1, 0]),
        loss="cross_entropy",
        conventions=Conventions(log_base=2),
    )
    with pytest.raises(NonFiniteError):
        compute_forward(problem)


def test_quantities_by_name_are_those_of_the_table_under_the_ids_as_asked() -> None:
    problem = two_layers(l2=0.1)
    found = compute_named(problem, ("dL_dZ1", "dL_dW", "S", "L"))
    truths = evaluate(problem, ["dL_dZ1", "dL_dW2", "A2", "L"])
    assert list(found.quantities) == ["dL_dZ1", "dL_dW", "S", "L"]
    for one, truth in zip(found.quantities.values(), truths.values(), strict=True):
        np.testing.assert_allclose(one.value, truth, rtol=1e-13)
        assert one.shape == truth.shape
    assert found.conventions is problem.conventions


def test_named_quantities_that_cannot_be_had_are_refused_with_their_place() -> None:
    layer = Layer(weights=np.diag([900.0, -900.0]), activation="softmax")
    steep = replace(
        two_layers(), network=Network(layers=(layer,)), inputs=np.array([[1.0, 2.0]]), targets=np.array([[0.0, 1.0]])
    )
    with pytest.raises(NonFiniteError) as overflowing:
        compute_named(steep, ("dL_dZ", "Z", "dL_dS"))
    assert overflowing.value.path == ("quantities", 2)
    with pytest.raises(DomainError) as jacobian:
        compute_named(steep, ("L", "dS_dZ"))
    assert jacobian.value.path == ("quantities", 1)
    with pytest.raises(TooLargeError) as large:
        compute_named(two_layers(), ("Z2", "A1", "Z1"), budget=Budget(numbers=16))
    assert large.value.path == ("quantities", 2)


def test_all_quantities_of_a_deep_network_are_to_be_had_together_as_they_take_one_pass() -> None:
    rng = np.random.default_rng(3)
    layers = tuple(
        Layer(weights=rng.normal(size=(1, 1)), bias=rng.normal(size=1), activation="tanh") for _ in range(100)
    )
    problem = Problem(
        network=Network(layers=layers), inputs=np.ones((2, 1)), targets=np.ones((2, 1)), loss="squared_error"
    )
    kinds = ("Z{}", "A{}", "dL_dA{}", "dL_dZ{}", "dL_dW{}", "dL_db{}")
    ids = tuple(kind.format(layer) for kind in kinds for layer in range(1, 101))
    found = compute_named(problem, ids).quantities
    assert tuple(found) == ids
    for number, gradients in enumerate(compute_gradients(problem).layers, start=1):
        np.testing.assert_array_equal(found[f"dL_dW{number}"].value, gradients.grad_weights)
        np.testing.assert_array_equal(found[f"dL_db{number}"].value, gradients.grad_bias)
