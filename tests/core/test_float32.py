"""Problems in float32: the whole table keeps the type, and its numbers are those of float64 to float32's digits."""

from dataclasses import replace

import numpy as np
import pytest

from core.errors import DomainError, NonFiniteError
from core.jacobians import compute_jacobians
from core.problem import Layer, Network, Problem
from core.softmax_layer import SoftmaxLayer, compute_softmax_layer
from core.steps import evaluate, steps_of, structure_of
from tests.support.problems import in_float32, numbered_quantities, random_problem, single, two_layers


@pytest.mark.parametrize("seed", range(120))
def test_every_step_keeps_float32_and_agrees_with_float64(seed: int) -> None:
    problem = random_problem(seed)
    narrow = in_float32(problem)
    names = [step.output for step in steps_of(structure_of(problem))]
    found, truth = evaluate(narrow, names), evaluate(problem, names)
    for name in names:
        assert found[name].dtype == np.float32, name
        # roundings of float32, which up to six layers of weights up to 2 multiply up
        room = 5e-4 * max(float(np.abs(truth[name]).max()), 1e-3)
        assert np.abs(found[name] - truth[name]).max() <= room, name


def test_jacobians_keep_float32() -> None:
    narrow = in_float32(two_layers())
    _, pairs = numbered_quantities(narrow)
    found = compute_jacobians(narrow, [f"d{of}_d{by}" for of, by in pairs])
    assert {jacobian.value.dtype for jacobian in found.jacobians.values()} == {np.dtype(np.float32)}


def test_a_softmax_layer_without_bias_keeps_float32() -> None:
    layer = SoftmaxLayer(
        weights=np.ones((2, 3), dtype=np.float32), inputs=np.ones((1, 2), dtype=np.float32), target=np.array([1])
    )
    found = compute_softmax_layer(layer)
    assert {quantity.value.dtype for quantity in found.quantities.values()} == {np.dtype(np.float32)}


def test_one_wider_array_widens_what_it_takes_part_in() -> None:
    problem = two_layers()
    wide = replace(in_float32(problem), inputs=problem.inputs)
    assert {value.dtype for value in evaluate(wide, ["Z1", "dL_dW1", "L"]).values()} == {np.dtype(np.float64)}


def test_a_distribution_may_be_off_by_the_roundings_of_its_type() -> None:
    thirds = np.full((1, 3), 1 / 3)
    layer = Layer(weights=np.eye(3), activation="softmax")
    problem = Problem(network=Network(layers=(layer,)), inputs=thirds, targets=thirds, loss="cross_entropy")
    off = np.array([[0.5, 0.25, 0.25 + 5e-7]])
    assert replace(problem, targets=single(off)).targets is not None
    with pytest.raises(DomainError, match=r"its sum is 1\.0000005"):
        replace(problem, targets=off)
    with pytest.raises(DomainError, match="within 1e-06"):
        replace(problem, targets=single(off + 1e-5))


def test_what_does_not_fit_is_refused_in_terms_of_the_type() -> None:
    layer = Layer(weights=np.full((1, 1), 1e30, dtype=np.float32), activation="identity")
    problem = Problem(network=Network(layers=(layer,)), inputs=np.full((1, 1), 1e30, dtype=np.float32))
    with pytest.raises(NonFiniteError, match=r"does not fit float32, whose largest number is about 3\.4e38: it comes"):
        evaluate(problem, ["Z1"])
