"""Gradients of random networks, against differences of the forward pass and whole problems at fifty digits."""

from collections import Counter

import numpy as np
import pytest

from core.activations import ACTIVATIONS
from core.arrays import Array
from core.conventions import COLUMN_ORDERS, L2_FACTORS, LOG_BASES, REDUCTIONS, RELU_SLOPES
from core.losses import LOSSES
from core.problem import Problem
from core.propagation import compute_gradients, gradient_names
from core.steps import evaluate
from core.verification import check_gradients
from tests.support import oracles
from tests.support.problems import MAX_DEPTH, MAX_SAMPLES, random_problem

N_NETWORKS = 500
GROUPS = [range(start, start + 100) for start in range(0, N_NETWORKS, 100)]
# small enough for a forward pass at fifty digits per entry
SMALL = [seed for seed in range(120) if sum(random_problem(seed).network.widths) * random_problem(seed).n_samples < 40]


def gradients_of(problem: Problem) -> dict[str, Array]:
    """Run the backward pass."""
    return evaluate(problem, gradient_names(problem))


@pytest.mark.parametrize("seeds", GROUPS, ids=lambda seeds: f"seeds {seeds[0]} to {seeds[-1]}")
def test_gradients_of_random_networks_agree_with_a_complex_step(seeds: range) -> None:
    for seed in seeds:
        problem = random_problem(seed)
        check = check_gradients(problem, gradients_of(problem))
        # no cancellation, so only what one gradient's own sums lose
        assert check.max_rel_error <= 1e-10, (seed, check)


@pytest.mark.parametrize("seed", range(0, N_NETWORKS, 25))
def test_gradients_of_random_networks_agree_with_central_differences(seed: int) -> None:
    problem = random_problem(seed)
    loss = float(evaluate(problem, ["L"])["L"])
    for name, gradient in gradients_of(problem).items():
        check = check_gradients(problem, {name: gradient}, method="central_differences")
        # the loss's last digits over a step of 6e-6, and h² of the third derivative
        assert check.max_abs_error <= 1e-8 * max(1.0, abs(loss), float(np.abs(gradient).max())), (name, check)


def test_the_random_networks_cover_everything_a_problem_can_be() -> None:
    found: Counter[object] = Counter()
    for problem in map(random_problem, range(N_NETWORKS)):
        layers, conventions = problem.network.layers, problem.conventions
        found.update({("hidden", layer.activation) for layer in layers[:-1]})
        found.update({("bias", layer.bias is not None) for layer in layers})
        found[problem.network.output_activation, problem.loss] += 1
        found["depth", problem.network.depth] += 1
        found["samples", problem.n_samples] += 1
        found["labels", problem.has_labels] += 1
        found["reduction", conventions.reduction] += 1
        found["base", conventions.log_base] += 1
        if conventions.l2.strength:
            found["l2", conventions.l2.factor, conventions.l2.biases, conventions.l2.per_sample] += 1
        found["column order", conventions.column_order] += 1
        if "relu" in {layer.activation for layer in layers}:
            found["relu", conventions.relu_at_zero] += 1
    fitting = {(a, name) for a in ACTIVATIONS for name in LOSSES if LOSSES[name].output_activation in {None, a}}
    needed: set[object] = {*(("hidden", name) for name in ACTIVATIONS), *fitting}
    needed |= {*(("depth", n) for n in range(1, MAX_DEPTH + 1)), *(("samples", n) for n in range(1, MAX_SAMPLES + 1))}
    needed |= {*(("reduction", name) for name in REDUCTIONS), *(("base", base) for base in LOG_BASES)}
    needed |= {("labels", True), ("labels", False), ("bias", True), ("bias", False)}
    either = (True, False)
    needed |= {("l2", factor, biases, divided) for factor in L2_FACTORS for biases in either for divided in either}
    needed |= {*(("column order", name) for name in COLUMN_ORDERS), *(("relu", slope) for slope in RELU_SLOPES)}
    assert needed <= found.keys()
    # a handful of each, not one by luck
    assert min(found[case] for case in needed) >= 5


@pytest.mark.parametrize("seed", SMALL)
def test_losses_and_gradients_of_small_problems_are_exact(seed: int) -> None:
    problem = random_problem(seed)
    found = compute_gradients(problem)
    # a few dozen roundings
    assert oracles.array_error(found.loss, oracles.exact_loss(problem)) < 1e-13
    for name, gradient in gradients_of(problem).items():
        truth = oracles.exact_gradient(problem, name.removeprefix("dL_d"))
        # of the array's largest entry; a few dozen roundings and what cancels between samples
        assert oracles.array_error(gradient, truth) < 1e-12, name


def test_the_small_problems_are_many_and_deep() -> None:
    assert len(SMALL) >= 25
    assert max(random_problem(seed).network.depth for seed in SMALL) >= 4
