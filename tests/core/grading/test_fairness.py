"""Who is robbed, and who gets what is not theirs: cases that careful readers of the marking found."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import pytest

from core.answers import read_answer
from core.arrays import Array
from core.exercises import draw_exercise
from core.exercises.kinds import Kind
from core.exercises.prompts import write_prompt
from core.grading import Grade, Question, Solution, Submission, Tolerance, grade_submission, read_asks
from core.problem import Layer, Network, Problem
from tests.support.students import (
    SOFTMAX_LAYER,
    TWO_LAYERS,
    grade_of,
    hand_in,
    mark,
    names_in,
    part_of,
    set_question,
    slipped,
    verdicts,
    work_out,
)


def hand_in_exercise(kind: str, seed: int, answers: Mapping[str, Array], tolerance: Tolerance | None = None) -> Grade:
    exercise = draw_exercise(kind, seed)
    asks = read_asks(exercise.asks, exercise.problem)
    solution = Solution(Question(problem=exercise.problem, asks=asks, decimals=exercise.decimals, stated=None))
    return grade_submission(
        solution,
        Submission(
            answers={name: read_answer(np.round(value, 4).tolist()) for name, value in answers.items()},
            tolerance=tolerance,
        ),
    )


def test_what_nobody_asked_for_earns_nothing_downstream() -> None:
    problem = draw_exercise("logits_gradient", 3).problem
    invented = np.random.default_rng(0).normal(size=(4, 3))
    s: Array = np.exp(invented) / np.exp(invented).sum(axis=1, keepdims=True)
    y = np.eye(3)[np.asarray(problem.targets)]
    grade = hand_in_exercise("logits_gradient", 3, {"Z": invented, "S": s, "dL_dZ": (s - y) / 4.0})
    assert part_of(grade, "S").verdict == "incorrect"
    assert grade.score < 0.6


@pytest.mark.parametrize("seed", range(10))
def test_the_chain_worked_out_by_hand_factor_by_factor_is_correct(seed: int) -> None:
    problem = draw_exercise("softmax_chain", seed).problem
    layer = problem.network.layers[0]
    z = np.round(problem.inputs @ layer.weights + np.asarray(layer.bias), 4)
    s = np.round(np.exp(z) / np.exp(z).sum(), 4)[0]
    y = np.eye(4)[np.asarray(problem.targets)][0]
    dL_dS, dS_dZ = np.round(-y / s, 4), np.round(np.diag(s) - np.outer(s, s), 4)
    dL_dZ = np.round(dL_dS @ dS_dZ, 4)
    answers: Mapping[str, Array] = {
        "dL_dS": dL_dS[None],
        "dS_dZ": dS_dZ[None],
        "dZ_dW": np.array([np.kron(np.eye(4), problem.inputs)]),
        "dL_dZ": dL_dZ[None],
        "dL_dW": np.outer(problem.inputs[0], dL_dZ),
    }
    assert set(verdicts(hand_in_exercise("softmax_chain", seed, answers)).values()) == {"correct"}


def test_single_precision_of_large_numbers_is_correct_however_it_is_printed() -> None:
    pixels = replace(SOFTMAX_LAYER, inputs=np.array([[213.0, 7.0], [88.0, 254.0], [0.0, 31.0], [199.0, 120.0]]))
    layer = pixels.network.layers[0]
    single = pixels.inputs.astype(np.float32) @ layer.weights.astype(np.float32) + np.asarray(
        layer.bias, dtype=np.float32
    )
    for answer in (single.tolist(), str(single), repr(single)):
        assert mark(pixels, "Z", answer).verdict == "correct"


def test_no_tolerance_lets_zeros_or_a_mistake_pass() -> None:
    exercise = draw_exercise("weight_gradients", 3)
    zeros: dict[str, Array] = {"dL_dZ": np.zeros((4, 3)), "dL_dW": np.zeros((2, 3)), "dL_db": np.zeros(3)}
    assert hand_in_exercise("weight_gradients", 3, zeros, Tolerance(decimals=0)).score == 0.0
    right = work_out(exercise.problem)
    flipped: dict[str, Array] = {"dL_dW": -right["dL_dW1"]}
    part = part_of(hand_in_exercise("weight_gradients", 3, flipped, Tolerance(decimals=1)), "dL_dW")
    assert names_in(part) >= {"sign_flipped"}


def test_the_slope_follows_from_a_wrong_activation_as_textbooks_write_it() -> None:
    right = work_out(TWO_LAYERS)
    a = slipped(right["A1"], (0, 1))
    s = np.exp(a @ TWO_LAYERS.network.layers[1].weights + np.asarray(TWO_LAYERS.network.layers[1].bias))
    s /= s.sum(axis=1, keepdims=True)
    g = (s - np.eye(3)[np.asarray(TWO_LAYERS.targets)]) / TWO_LAYERS.n_samples
    below = (g @ TWO_LAYERS.network.layers[1].weights.T) * (1.0 - a * a)
    grade = grade_of(TWO_LAYERS, {"A1": a, "S": s, "dL_dZ2": g, "dL_dZ1": below, "dL_dW1": TWO_LAYERS.inputs.T @ below})
    assert verdicts(grade) == {
        "A1": "incorrect",
        "S": "follows_through",
        "dL_dZ2": "follows_through",
        "dL_dZ1": "follows_through",
        "dL_dW1": "follows_through",
    }


def test_handing_in_more_of_what_follows_never_costs() -> None:
    right = work_out(TWO_LAYERS)
    exponentials = np.exp(right["Z2"])
    s = exponentials / exponentials.sum(axis=0)
    g = (s - np.eye(3)[np.asarray(TWO_LAYERS.targets)]) / TWO_LAYERS.n_samples
    grade = grade_of(TWO_LAYERS, {"S": s, "dL_dZ2": g, "dL_dW2": right["A1"].T @ g, "dL_db2": g.sum(axis=0)})
    assert "softmax_over_batch" in names_in(part_of(grade, "S"))
    assert [part.verdict for part in grade.parts[1:]] == ["follows_through"] * 3


@pytest.mark.parametrize(
    ("made", "name"),
    [
        (lambda t, w: 0.3 * t, "scaled"),
        (lambda t, w: -0.1 * t, "negated_step"),
        (lambda t, w: w - 0.1 * t, "new_weights_given"),
    ],
)
@pytest.mark.parametrize("layer", [1, 2])
def test_a_plain_factor_is_named_as_that_alone(made: Callable[[Array, Array], Array], name: str, layer: int) -> None:
    weights = TWO_LAYERS.network.layers[layer - 1].weights
    answer = made(work_out(TWO_LAYERS)[f"dL_dW{layer}"], weights)
    [diagnosis] = mark(TWO_LAYERS, f"dL_dW{layer}", answer).diagnoses or ()
    assert diagnosis.mistakes == (name,)


@pytest.mark.parametrize("raw", ["nan", "inf"])
def test_a_single_number_that_is_not_finite_has_no_name(raw: str) -> None:
    part = mark(SOFTMAX_LAYER, "L", raw)
    assert (part.verdict, part.diagnoses) == ("not_finite", ())


def test_a_bias_forgotten_in_the_first_layer_alone_is_named_from_the_second() -> None:
    first, last = TWO_LAYERS.network.layers
    z = np.tanh(TWO_LAYERS.inputs @ first.weights) @ last.weights + np.asarray(last.bias)
    assert "bias_ignored" in names_in(mark(TWO_LAYERS, "Z2", z))


def test_right_numbers_with_too_few_decimals_are_told_so_and_no_mistake_is_named() -> None:
    small = replace(SOFTMAX_LAYER, inputs=SOFTMAX_LAYER.inputs / 50.0)
    truth = work_out(small)["dL_dW1"]
    part = hand_in(set_question(small, "dL_dW"), {"dL_dW": np.round(truth, 2)}).parts[0]
    assert (part.verdict, part.diagnoses) == ("incorrect", ())
    assert any("more decimals" in hint for hint in part.hints or ())


def test_a_prompt_says_what_the_problem_is_whatever_its_loss() -> None:
    layer = Layer(weights=np.array([[0.5], [-0.25]]), activation="identity")
    problem = Problem(
        network=Network(layers=(layer,)),
        inputs=np.array([[1.0, 2.0], [0.5, -1.0]]),
        targets=np.array([[0.5], [1.5]]),
        loss="half_squared_error",
    )
    kind = Kind(name="regression", title="", task="Compute the loss.", asks=("L", "dA_dW"), draw=lambda source: problem)
    prompt = write_prompt(kind, problem)
    assert "Z = X·W and A = identity(Z)" in prompt
    assert "half-squared-error sum((a − y)²)/2" in prompt
    assert "logarithm" not in prompt
    assert "Y = [[0.5], [1.5]]" in prompt
    assert "(1, 2), one matrix for each sample" in prompt
    assert "identity(z) = z for each entry z of Z" in prompt
    assert "probabilities" not in prompt
    assert "class" not in prompt


@pytest.mark.parametrize("size", [0.3, 0.05, 0.015, 0.004, 0.0015])
def test_noise_is_rarely_taken_for_a_mistake_times_a_factor_however_small_it_is(size: float) -> None:
    source, named = np.random.default_rng(0), 0
    for _ in range(40):
        noise = source.normal(size=3) * size
        # it adds up to 0, as the gradient itself does
        answer = {"dL_db": np.append(noise[:2], -noise[:2].sum())}
        named += bool(part_of(hand_in_exercise("weight_gradients", 7, answer), "dL_db").diagnoses)
    assert named <= 4


@pytest.mark.parametrize("seed", [2, 3, 7, 32, 35])
def test_right_numbers_that_are_rounded_too_coarsely_are_not_accused_of_a_factor(seed: int) -> None:
    truth = work_out(draw_exercise("weight_gradients", seed).problem)["dL_db1"]
    part = part_of(hand_in_exercise("weight_gradients", seed, {"dL_db": np.round(truth, 2)}), "dL_db")
    assert (part.verdict, part.diagnoses) == ("incorrect", ())
