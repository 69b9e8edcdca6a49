"""Credit for what follows from a student's own answers, and what earns none."""

from dataclasses import replace

import numpy as np
import pytest

from core.arrays import Array
from core.conventions import L2, Conventions
from core.exercises import draw_exercise
from core.grading import Policy
from core.problem import Problem
from tests.support.students import (
    DECIMALS,
    ONE_SAMPLE,
    SOFTMAX_LAYER,
    TWO_LAYERS,
    grade_of,
    hand_in,
    names_in,
    part_of,
    set_question,
    slipped,
    verdicts,
    work_out,
    work_out_jacobian,
)

ASKED = ("S", "dL_dZ2", "dL_dW2", "dL_db2", "dL_dZ1", "dL_dW1", "dL_db1")
BACKWARD = ASKED[1:]


def go_on_from(problem: Problem, grad: Array) -> dict[str, Array]:
    """Work back through two layers from a gradient by the last pre-activations, whatever it is."""
    hidden, (_, last) = work_out(problem)["A1"], problem.network.layers
    back = grad @ last.weights.T * (1.0 - hidden**2)
    return {
        "dL_dZ2": grad,
        "dL_dW2": hidden.T @ grad,
        "dL_db2": grad.sum(axis=0),
        "dL_dZ1": back,
        "dL_dW1": problem.inputs.T @ back,
        "dL_db1": back.sum(axis=0),
    }


Y = TWO_LAYERS.target_distribution()
EASY_OUTPUTS = {
    "the targets": Y,
    "zeros": np.zeros((5, 3)),
    "ones": np.ones((5, 3)),
    "uniform rows": np.full((5, 3), 1 / 3),
    "halves": np.full((5, 3), 0.5),
    "one row for all": np.tile([0.2, 0.3, 0.5], (5, 1)),
    "certain predictions": np.eye(3)[[0, 1, 2, 0, 1]],
    "two rows in turn": np.array([[0.2, 0.3, 0.5], [0.5, 0.3, 0.2]])[[0, 1, 0, 1, 0]],
    "rows that are no distribution": np.round(np.random.default_rng(1).uniform(0.1, 0.9, (5, 3)), 4),
    "negative probabilities": np.array([[0.6, 0.7, -0.3], [0.1, 1.3, -0.4], [1.1, 0.2, -0.3], [0.4, 0.8, -0.2],
                                        [-0.1, 0.35, 0.75]]),
}  # fmt: skip


@pytest.mark.parametrize("s", EASY_OUTPUTS.values(), ids=EASY_OUTPUTS)
def test_outputs_that_make_the_rest_easy_earn_nothing_downstream(s: Array) -> None:
    followed = go_on_from(TWO_LAYERS, (s - Y) / 5.0)
    grade = grade_of(TWO_LAYERS, {"S": s, "dL_dZ2": followed["dL_dZ2"]}, policy=Policy(entries=0.0))
    assert verdicts(grade) == {"S": "incorrect", "dL_dZ2": "incorrect"}
    assert (grade.score, grade.verdict) == (0.0, "incorrect")


def test_the_targets_for_outputs_and_zeros_downstream_earn_nothing() -> None:
    answers = {"S": Y, **go_on_from(TWO_LAYERS, np.zeros((5, 3)))}
    grade = grade_of(TWO_LAYERS, answers)
    assert set(verdicts(grade).values()) == {"incorrect"}
    assert (grade.score, grade.verdict, grade.first_wrong) == (0.0, "incorrect", "S")


@pytest.mark.parametrize(
    "grad",
    [np.zeros((5, 3)), np.ones((5, 3)), np.full((5, 3), -0.2), np.tile([0.1, -0.3, 0.2], (5, 1))],
    ids=["zeros", "ones", "a constant", "one row for all"],
)
def test_gradients_that_make_the_rest_easy_earn_nothing_downstream(grad: Array) -> None:
    followed = go_on_from(TWO_LAYERS, grad)
    answers = {key: followed[key] for key in ("dL_dZ2", "dL_dW2", "dL_db2", "dL_dZ1")}
    grade = grade_of(TWO_LAYERS, answers, policy=Policy(entries=0.0))
    assert set(verdicts(grade).values()) == {"incorrect"}
    assert grade.score == 0.0


@pytest.mark.parametrize("scale", [1.0, -1.0, 0.2, -0.2])
def test_the_targets_for_gradients_lead_nowhere_though_a_mistake_produces_them(scale: float) -> None:
    followed = go_on_from(TWO_LAYERS, scale * Y)
    answers = {key: followed[key] for key in ("dL_dZ2", "dL_dW2", "dL_db2", "dL_dZ1")}
    grade = grade_of(TWO_LAYERS, answers, policy=Policy(entries=0.0))
    assert set(verdicts(grade).values()) == {"incorrect"}


@pytest.mark.parametrize("kind", ["weight_gradients", "softmax_chain", "logits_gradient"])
def test_an_exercise_in_which_nothing_is_computed_but_products_earns_nothing(kind: str) -> None:
    exercise = draw_exercise(kind, 0)
    problem, targets = exercise.problem, exercise.problem.target_distribution()
    grad = -targets / problem.n_samples
    answers = {
        "S": targets,
        "dL_dS": grad,
        "dS_dZ": np.tile(np.eye(problem.n_out), (problem.n_samples, 1, 1)),
        "dL_dZ": grad,
        "dL_dW": problem.inputs.T @ grad,
        "dL_db": grad.sum(axis=0),
    }
    grade = grade_of(problem, {key: answers[key] for key in exercise.asks if key in answers})
    assert set(verdicts(grade).values()) == {"incorrect"}
    assert grade.score == 0.0


@pytest.mark.parametrize("index", [(0, 0), (2, 1), (4, 2)])
def test_one_wrong_sign_costs_its_part_only(index: tuple[int, int]) -> None:
    grad = np.round(work_out(TWO_LAYERS)["dL_dZ2"], DECIMALS)
    grad[index] *= -1.0
    answers = {"S": work_out(TWO_LAYERS)["S"], **go_on_from(TWO_LAYERS, grad)}
    grade = grade_of(TWO_LAYERS, answers)
    assert grade.first_wrong == "dL_dZ2"
    assert verdicts(grade) == {
        key: {"S": "correct", "dL_dZ2": "incorrect"}.get(key, "follows_through") for key in ASKED
    }
    assert not any(names_in(part) for part in grade.parts)
    assert part_of(grade, "dL_dZ2").score == pytest.approx(0.5 * (14 / 15 - 0.5) / 0.5)
    without = grade_of(TWO_LAYERS, answers, policy=Policy(entries=0.0))
    assert without.score == pytest.approx(6 / 7)


def test_without_following_through_a_slip_costs_all_below() -> None:
    grad = np.round(work_out(TWO_LAYERS)["dL_dZ2"], DECIMALS)
    grad[2, 1] *= -1.0
    answers = {"S": work_out(TWO_LAYERS)["S"], **go_on_from(TWO_LAYERS, grad)}
    grade = grade_of(TWO_LAYERS, answers, policy=Policy(entries=0.0), follow_through=False)
    assert verdicts(grade) == {key: "correct" if key == "S" else "incorrect" for key in ASKED}
    assert grade.score == pytest.approx(1 / 7)


@pytest.mark.parametrize("hole", [None, "?", [[1.0], [1.0, 2.0]], [[float("nan")] * 3] * 5, 0.5])
def test_a_part_that_is_no_answer_blocks_nothing(hole: object) -> None:
    right = work_out(TWO_LAYERS)
    answers: dict[str, object] = {key: right[key] for key in BACKWARD}
    grade = grade_of(TWO_LAYERS, {**answers, "dL_dZ2": hole})
    assert grade.score == pytest.approx(5 / 6)
    assert {part.verdict for part in grade.parts if part.quantity != "dL_dZ2"} == {"correct"}
    # and a slip above it is followed past it
    s = np.round(right["S"], DECIMALS)
    s[1] += [0.05, -0.05, 0.0]
    followed = go_on_from(TWO_LAYERS, (s - Y) / 5.0)
    grade = grade_of(TWO_LAYERS, {"S": s, **followed, "dL_dZ2": hole}, policy=Policy(entries=0.0))
    assert {part.verdict for part in grade.parts[2:]} == {"follows_through"}
    assert grade.score == pytest.approx(5 / 7)


def test_a_mistake_upstream_is_no_reason_to_mark_what_follows_wrong() -> None:
    # no distribution, but a mistake of the catalogue makes it so
    z = work_out(TWO_LAYERS)["Z2"]
    s = 1.0 / (1.0 + np.exp(-z))
    grade = grade_of(TWO_LAYERS, {"S": s, **go_on_from(TWO_LAYERS, (s - Y) / 5.0)})
    assert names_in(part_of(grade, "S")) == {"sigmoid_for_softmax"}
    assert {part.verdict for part in grade.parts[1:]} == {"follows_through"}


@pytest.mark.parametrize("strength", [0.0, 0.3])
def test_the_long_way_leads_on_factor_by_factor(strength: float) -> None:
    problem = replace(ONE_SAMPLE, conventions=Conventions(l2=L2(strength=strength, biases=True)))
    layer = problem.network.layers[0]
    assert layer.bias is not None
    s = work_out(problem)["S"]
    jacobian = slipped(work_out_jacobian(s), (0, 0, 1), (0, 2, 3))
    outputs = slipped(-problem.target_distribution() / s, (0, 0), (0, 1), (0, 3))
    grad = (outputs[:, None] @ jacobian)[:, 0]
    by_weights = np.kron(np.eye(4), problem.inputs)[None]
    decay = strength * layer.weights
    answers = {
        "dL_dS": outputs,
        "dS_dZ": jacobian,
        "dS_dW": jacobian @ by_weights,
        "dL_dZ": grad,
        "dL_dW": problem.inputs.T @ grad + decay,
        "dL_db": grad[0] + strength * layer.bias,
        "dL_dX": grad @ layer.weights.T,
    }
    grade = grade_of(problem, answers, policy=Policy(entries=0.0))
    assert verdicts(grade) == {key: "incorrect" if key in {"dL_dS", "dS_dZ"} else "follows_through" for key in answers}
    # without dL/dZ in between, too
    for key in ("dL_dW", "dL_db", "dL_dX", "dS_dW"):
        few = {"dL_dS": outputs, "dS_dZ": jacobian, key: answers[key]}
        assert verdicts(grade_of(problem, few))[key] == "follows_through"
    if strength:
        few = {"dL_dS": outputs, "dS_dZ": jacobian, "dL_dW": problem.inputs.T @ grad}
        assert verdicts(grade_of(problem, few))["dL_dW"] == "incorrect"


def test_an_own_derivative_by_the_outputs_alone_leads_to_that_by_the_logits() -> None:
    s = work_out(SOFTMAX_LAYER)["S"]
    outputs = slipped(-SOFTMAX_LAYER.target_distribution() / s / 4.0, (0, 0), (1, 1), (2, 0), (3, 2))
    grad = np.array([row @ jacobian for row, jacobian in zip(outputs, work_out_jacobian(s), strict=True)])
    grade = grade_of(SOFTMAX_LAYER, {"dL_dS": outputs, "dL_dZ": grad})
    assert verdicts(grade) == {"dL_dS": "incorrect", "dL_dZ": "follows_through"}


def test_an_own_jacobian_across_layers_leads_on_to_both_sides() -> None:
    hidden, (_, last) = work_out(TWO_LAYERS)["A1"], TWO_LAYERS.network.layers
    across = np.array([last.weights.T @ np.diag(1.0 - row**2) for row in hidden])
    across = slipped(across, (0, 0, 1), (1, 2, 2), (2, 1, 0), (3, 0, 3), (4, 1, 1))
    by_weights = np.array([np.kron(np.eye(4), row[None]) for row in TWO_LAYERS.inputs])
    outputs = work_out_jacobian(work_out(TWO_LAYERS)["S"])
    answers = {"dZ2_dZ1": across, "dZ2_dW1": across @ by_weights, "dS_dZ1": outputs @ across}
    answers["dS_dW1"] = outputs @ across @ by_weights
    grade = grade_of(TWO_LAYERS, answers)
    assert set(verdicts(grade).values()) == {"incorrect", "follows_through"}
    assert verdicts(grade)["dZ2_dZ1"] == grade.parts[0].verdict == "incorrect"
    assert [part.verdict for part in grade.parts[1:]] == ["follows_through"] * 3


@pytest.mark.parametrize("seed", range(10))
def test_the_jacobian_follows_from_wrong_probabilities(seed: int) -> None:
    problem = draw_exercise("softmax_jacobian", seed).problem
    right = work_out(problem, DECIMALS)["S"]
    exponentials = np.round(np.exp(work_out(problem)["Z1"]), DECIMALS)
    # two probabilities change by a slip, and a mistake that leaves rows that do not sum to 1
    slipped_row = np.add(right, [[0.03, -0.03, 0.0, 0.0]])
    wrong: list[tuple[Array, set[str]]] = [
        (slipped_row, set()),
        (np.asarray(1.0 / (1.0 + 1.0 / exponentials)), {"sigmoid_for_softmax"}),
    ]
    for s, named in wrong:
        grade = grade_of(problem, {"S": s, "dS_dZ": np.array([np.diag(s[0]) - np.outer(s[0], s[0])])})
        assert verdicts(grade) == {"S": "incorrect", "dS_dZ": "follows_through"}
        assert names_in(part_of(grade, "S")) == named


@pytest.mark.parametrize("decimals", [4, 12])
def test_the_jacobian_of_ones_own_outputs_follows_though_they_are_no_distribution(decimals: int) -> None:
    problem = draw_exercise("softmax_jacobian", 3).problem
    s = slipped(work_out(problem)["S"], (0, 1))
    jacobian = np.round(np.diag(s[0]) - np.outer(s[0], s[0]), decimals)[None]
    solution = set_question(problem, "S", "dS_dZ", stated=None, decimals=4)
    assert verdicts(hand_in(solution, {"S": s, "dS_dZ": jacobian})) == {"S": "incorrect", "dS_dZ": "follows_through"}
    # what is not computed from them does not follow
    assert verdicts(hand_in(solution, {"S": s, "dS_dZ": 0.7 * jacobian}))["dS_dZ"] == "incorrect"
