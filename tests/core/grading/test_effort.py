"""What marking may take beside the truth: searches, what follows from own answers, what is kept for others."""

import numpy as np
import pytest

from core import grade_requests
from core.budget import Budget, forward_operations
from core.errors import TooLargeError
from core.exercises.audit import COMPARISON_COST, N_LOOKS, N_WRONG_ANSWERS, audit_problem
from core.grade_requests import Grader, GradeRequest
from core.grading.diagnosis.effort import Effort
from core.grading.diagnosis.suspects import Suspects
from core.jacobians import measure_derivatives
from core.mistakes import MISTAKES
from core.mistakes.conditions import MAX_RESHAPED_NUMBERS
from core.problem import Layer, Network, Problem
from core.quantities import to_quantity
from core.scenarios import Scenarios
from core.steps import Rounding, RuleContext
from core.steps.rounding_bounds import bound_local_activation
from tests.support.students import TWO_LAYERS

LONG_WAY = [to_quantity("dZ2_dW1")]


@pytest.mark.parametrize("over", [0, 1])
def test_the_long_way_is_gone_as_far_as_its_numbers_fit(over: int) -> None:
    _, numbers = measure_derivatives(TWO_LAYERS, LONG_WAY)
    assert Effort(TWO_LAYERS, Budget(numbers=numbers - over)).affords(LONG_WAY) is not bool(over)


@pytest.mark.parametrize("over", [0, 1])
def test_the_long_way_is_gone_as_often_as_the_work_is_paid_for(over: int) -> None:
    operations, _ = measure_derivatives(TWO_LAYERS, LONG_WAY)
    effort = Effort(TWO_LAYERS, Budget(operations=2 * operations - over))
    assert effort.affords(LONG_WAY)
    assert effort.affords(LONG_WAY) is not bool(over)


def one_layer(n_in: int, n_out: int, n_samples: int) -> Problem:
    layer = Layer(weights=np.ones((n_in, n_out)), activation="softmax")
    return Problem(
        network=Network(layers=(layer,)),
        inputs=np.ones((n_samples, n_in)),
        targets=np.zeros(n_samples, dtype=np.int64),
        loss="cross_entropy",
    )


@pytest.mark.parametrize(
    ("name", "fits", "exceeds"),
    [
        # n_out · n_out and n_samples · n_in · n_out numbers for a gradient of n_in · n_out
        ("wrong_cache", one_layer(1, 316, 1), one_layer(1, 317, 1)),
        ("samples_not_summed", one_layer(10, 100, 100), one_layer(10, 100, 101)),
        # an answer may have twice as many numbers as the gradient
        ("samples_not_summed", one_layer(250, 250, 2), one_layer(250, 250, 3)),
    ],
)
def test_another_shape_is_looked_for_up_to_what_an_answer_may_hold(name: str, fits: Problem, exceeds: Problem) -> None:
    assert MAX_RESHAPED_NUMBERS == 100_000
    for problem, is_made in [(fits, True), (exceeds, False)]:
        suspects = Suspects(problem)
        reach = suspects.scenarios.reach("dL_dW1")
        assert (name in suspects.names(reach)) is is_made


def test_the_inputs_are_no_cache_of_a_layer_that_is_too_wide_for_them() -> None:
    layers = (
        Layer(weights=np.ones((400, 2)), activation="relu"),
        Layer(weights=np.ones((2, 400)), activation="identity"),
    )
    problem = Problem(
        network=Network(layers=layers), inputs=np.ones((1, 400)), targets=np.zeros((1, 400)), loss="squared_error"
    )
    suspects = Suspects(problem)
    [ways] = [mistake.variants for mistake in suspects.mistakes if mistake.name == "wrong_cache"]
    reach = suspects.scenarios.reach("dL_dW2")
    made = [s for s in suspects.suspects if s.mistake.name == "wrong_cache" and s.selection & reach]
    # that of pre-activations has the gradient's own shape; 400 · 400 numbers are too many
    assert (len(ways), len(made)) == (3, 1)


def test_a_deep_network_is_no_deep_recursion() -> None:
    layers = tuple(Layer(weights=np.ones((1, 1)), activation="tanh") for _ in range(700))
    problem = Problem(network=Network(layers=layers), inputs=np.ones((1, 1)))
    assert np.isfinite(Scenarios(problem).rounding_bound("A700", 4)).all()


def test_a_product_with_a_softmax_is_bounded_as_with_its_matrix_written_down() -> None:
    source = np.random.default_rng(3)
    problem = one_layer(3, 5, 4)
    z = source.normal(size=(4, 5))
    a = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    rows, errors = source.normal(size=(4, 2, 5)), source.uniform(size=(4, 2, 5))
    own = source.uniform(size=(4, 5))
    found = bound_local_activation(RuleContext(problem, 1), Rounding(0), [errors, own, own], rows, z, a)
    through = a[:, None] * (errors * (1 - 2 * a[:, None]) + (a[:, None] * errors).sum(axis=-1, keepdims=True))
    for n, row, column in np.ndindex(4, 2, 5):
        total = through[n, row, column]
        for other in range(5):
            error = a[n, other] * own[n, column] + own[n, other] * a[n, column]
            if other == column:
                s, e = a[n, column], own[n, column]
                error = max(abs(1 - 2 * s) * e, (1 - s) * e + s * (own[n].sum() - e))
            total += abs(rows[n, row, other]) * (error + 0.5)
        assert found[n, row, column] == pytest.approx(total, rel=1e-12)


ASKED = [("L",), ("dL_dZ2",), ("dL_dW2", "L"), ("dL_dW1",)]


@pytest.mark.parametrize(("most", "kept"), [(grade_requests.MOST_NUMBERS_KEPT, 4), (1, 1)])
def test_questions_are_kept_as_long_as_there_is_room(monkeypatch: pytest.MonkeyPatch, most: int, kept: int) -> None:
    monkeypatch.setattr(grade_requests, "MOST_NUMBERS_KEPT", most)
    grader = Grader(GradeRequest(problem=TWO_LAYERS))
    lines = [GradeRequest(asks=asks, answers={"L": 0.1, "dL_dW1": [[1.0]]}) for asks in ASKED]
    first = [grader.grade(line).score for line in lines]
    assert len(grader._kept) == kept
    assert [grader.grade(line).score for line in lines] == first
    # the truth and what was searched are counted
    held = [solution.held for solution in grader._kept.values()]
    assert min(held) > 100


# an audit changes the number of samples, to 8 at most where there are three widths
PASSES = forward_operations(TWO_LAYERS.network, 8) * len(MISTAKES) * N_LOOKS
COMPARISONS = 2 * COMPARISON_COST * N_WRONG_ANSWERS * N_LOOKS


@pytest.mark.parametrize(
    ("budget", "message"),
    [
        (Budget(numbers=9 * N_WRONG_ANSWERS), None),
        (Budget(numbers=9 * N_WRONG_ANSWERS - 1), "the answers of all mistakes"),
        (Budget(operations=PASSES + COMPARISONS), None),
        (Budget(operations=PASSES + COMPARISONS - 1), "the quantities asked, under every mistake"),
        (Budget(operations=PASSES - 1), "every mistake, in the problem and in changed ones"),
    ],
)
def test_an_audit_is_met_to_the_number_and_the_operation(budget: Budget, message: str | None) -> None:
    # one number, and 4 · 2 of the weights
    asks = ("L", "dL_dW1")
    if message is None:
        assert audit_problem(TWO_LAYERS, asks, budget=budget).modelled
        return
    with pytest.raises(TooLargeError, match=message):
        audit_problem(TWO_LAYERS, asks, budget=budget)
