"""What holds for every problem, whatever its numbers."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from core.activations import ACTIVATIONS
from core.arrays import Array
from core.conventions import Conventions
from core.problem import Network, Problem
from core.propagation import gradient_names
from core.steps import evaluate
from core.verification import check_gradients
from tests.support.problems import problems

invariant = settings(deadline=None, max_examples=60, derandomize=True)
logits = arrays(
    np.float64,
    st.tuples(st.integers(1, 4), st.integers(1, 5)),
    elements=st.floats(-50.0, 50.0, allow_subnormal=False),
)


def softmax(z: Array) -> Array:
    """Compute each row's probabilities."""
    return ACTIVATIONS["softmax"].value(z)


def gradients_of(problem: Problem) -> dict[str, Array]:
    """Run the backward pass."""
    return evaluate(problem, gradient_names(problem))


def assert_close(found: Array, expected: Array, scale: float) -> None:
    """Demand equality up to the order of operations: a part of the largest term that enters the sum."""
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= 1e-12 * scale


def scale_of(problem: Problem) -> float:
    """Return the largest number among a problem's gradients by pre-activations, times its largest input of a layer."""
    numbers = range(1, problem.network.depth + 1)
    names = [f"{symbol}{n}" for n in numbers for symbol in ("dL_dZ", "A", "W")]
    values = evaluate(problem, names)
    return max(1.0, *(float(np.abs(value).max()) for value in values.values())) ** 2


@invariant
@given(logits, st.floats(-1e3, 1e3))
def test_softmax_stays_when_a_row_is_shifted(z: Array, shift: float) -> None:
    # adding and subtracting the shift costs its last digit, 1e-13 of a thousand
    np.testing.assert_allclose(softmax(z + shift), softmax(z), rtol=1e-12)


@invariant
@given(logits)
def test_probabilities_lie_between_0_and_1_and_sum_to_1(z: Array) -> None:
    probabilities = softmax(z)
    assert (probabilities >= 0.0).all()
    assert (probabilities <= 1.0).all()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, rtol=1e-15)  # five roundings at most


@invariant
@given(logits)
def test_the_softmax_jacobian_is_symmetric_and_its_columns_sum_to_0(z: Array) -> None:
    a = softmax(z)
    jacobian = ACTIVATIONS["softmax"].vjp(z[:, None, :], a[:, None, :], np.eye(z.shape[1])[None])
    # entries of at most ¼, so a few units in its last place
    assert np.abs(jacobian.sum(axis=1)).max() <= 1e-15
    assert np.abs(jacobian - jacobian.transpose(0, 2, 1)).max() <= 1e-15


@invariant
@given(problems())
def test_right_gradients_pass_their_check_on_any_problem(problem: Problem) -> None:
    gradients = gradients_of(problem)
    assume(sum(gradient.size for gradient in gradients.values()) <= 60)
    check = check_gradients(problem, gradients)
    # absolutely, because hypothesis finds gradients that cancel to nothing
    assert check.max_abs_error <= 1e-12 * scale_of(problem)


@invariant
@given(problems())
def test_the_gradient_of_a_mean_is_the_mean_of_each_samples_gradient(problem: Problem) -> None:
    assert problem.targets is not None
    conventions = problem.conventions
    # the penalty of one sample alone would be another one
    conventions = replace(conventions, reduction="mean", l2=replace(conventions.l2, per_sample=False))
    problem = replace(problem, conventions=conventions)
    batch, scale = gradients_of(problem), scale_of(problem)
    assert problem.targets is not None
    each = zip(problem.inputs, problem.targets, strict=True)
    singles = [gradients_of(replace(problem, inputs=x[None], targets=np.array([y]))) for x, y in each]
    for name in gradient_names(problem)[:-1]:
        assert_close(batch[name], np.mean([single[name] for single in singles], axis=0), scale * problem.n_samples)
    rows = np.concatenate([single["dL_dX"] for single in singles]) / problem.n_samples
    assert_close(batch["dL_dX"], rows, scale)


@invariant
@given(problems())
def test_a_sum_is_as_many_means_as_there_are_samples(problem: Problem) -> None:
    without_penalty = Conventions(log_base=problem.conventions.log_base)
    mean = replace(problem, conventions=without_penalty)
    total = replace(problem, conventions=replace(without_penalty, reduction="sum"))
    scale = scale_of(total)
    means = gradients_of(mean)
    for name, gradient in gradients_of(total).items():
        assert_close(gradient, problem.n_samples * means[name], scale)


@invariant
@given(problems(), st.data())
def test_permuting_samples_permutes_their_gradients_and_leaves_the_parameters(
    problem: Problem, data: st.DataObject
) -> None:
    assert problem.targets is not None
    order = data.draw(st.permutations(range(problem.n_samples)))
    permuted = replace(problem, inputs=problem.inputs[order], targets=problem.targets[order])
    before, after, scale = gradients_of(problem), gradients_of(permuted), scale_of(problem) * problem.n_samples
    for name in gradient_names(problem)[:-1]:
        assert_close(after[name], before[name], scale)
    assert_close(after["dL_dX"], before["dL_dX"][order], scale)
    assert float(evaluate(permuted, ["L"])["L"]) == pytest.approx(float(evaluate(problem, ["L"])["L"]), rel=1e-12)


@invariant
@given(problems())
def test_gradients_by_the_logits_of_a_softmax_sum_to_0_over_classes(problem: Problem) -> None:
    *below, last = problem.network.layers
    network = Network(layers=(*below, replace(last, activation="softmax")))
    conventions = replace(problem.conventions, log_base="e")
    targets = problem.target_distribution()
    problem = replace(problem, network=network, targets=targets, loss="squared_error", conventions=conventions)
    name = f"dL_dZ{network.depth}"
    # shifting a row of logits changes no loss; rounding of entries of at most 4
    assert np.abs(evaluate(problem, [name])[name].sum(axis=1)).max() <= 1e-14
