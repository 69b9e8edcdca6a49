"""What parts are worth: weights, credit for mistakes, for another convention and for right entries."""

from dataclasses import replace

import numpy as np
import pytest

from core.grading import Policy
from core.problem import Layer, Network, Problem
from tests.students import (
    DECIMALS,
    SOFTMAX_LAYER,
    TWO_LAYERS,
    grade_of,
    hand_in,
    mark,
    names_in,
    set_question,
    slipped,
    verdicts,
    work_out,
)


@pytest.mark.parametrize(
    ("weights", "score"),
    [
        ({}, 0.5),
        ({"S": 3.0}, 0.75),
        ({"S": 1.7e308, "dL_dZ": 1.7e308}, 0.5),
        ({"S": 0.0}, 0.0),
        ({"dL_dZ": 0.0}, 1.0),
        ({"S": 0.5, "dL_dZ": 1.5}, 0.25),
    ],
)
def test_parts_count_by_their_weights(weights: dict[str, float], score: float) -> None:
    answers = {"S": work_out(SOFTMAX_LAYER)["S"], "dL_dZ": -work_out(SOFTMAX_LAYER)["dL_dZ1"]}
    grade = grade_of(SOFTMAX_LAYER, answers, policy=Policy(weights=weights))
    assert grade.score == pytest.approx(score)
    assert grade.verdict == {0.0: "incorrect", 1.0: "correct"}.get(score, "partly_correct")


def test_what_was_not_asked_is_marked_and_weighs_nothing() -> None:
    right = work_out(SOFTMAX_LAYER, DECIMALS)
    grade = hand_in(set_question(SOFTMAX_LAYER, "S"), {"S": right["S"], "dL_dW": right["dL_dW1"].T})
    assert verdicts(grade) == {"S": "correct", "dL_dW": "wrong_shape"}
    assert (grade.score, grade.verdict, grade.first_wrong) == (1.0, "correct", "dL_dW")


def test_of_mistakes_that_cannot_be_told_apart_the_best_credit_counts() -> None:
    two_samples = replace(SOFTMAX_LAYER, inputs=SOFTMAX_LAYER.inputs[:2], targets=np.array([2, 0]))
    doubled = 2.0 * work_out(two_samples)["dL_dZ1"]
    for paid, score in (
        ({}, 0.0),
        ({"summed_over_batch": 0.4}, 0.4),
        ({"factor_two": 0.7, "summed_over_batch": 0.4}, 0.7),
        ({"sign_flipped": 0.9}, 0.0),
    ):
        assert grade_of(two_samples, {"dL_dZ": doubled}, policy=Policy(mistakes=paid)).score == pytest.approx(score)


def test_credits_of_two_mistakes_are_multiplied() -> None:
    added = work_out(SOFTMAX_LAYER)["S"] + SOFTMAX_LAYER.target_distribution()
    answer = {"dL_dW": added.T @ SOFTMAX_LAYER.inputs / 4.0}
    policy = Policy(mistakes={"one_hot_added": 0.8, "transposed": 0.5})
    assert grade_of(SOFTMAX_LAYER, answer, policy=policy).score == pytest.approx(0.4)


@pytest.mark.parametrize(("wrong", "score"), [(1, 1 / 3), (2, 1 / 6), (3, 0.0), (4, 0.0), (6, 0.0)])
def test_right_entries_earn_credit_above_what_chance_gives(wrong: int, score: float) -> None:
    places = [(i, j) for i in range(2) for j in range(3)]
    answer = slipped(work_out(SOFTMAX_LAYER)["dL_dW1"], *places[:wrong])
    grade = grade_of(SOFTMAX_LAYER, {"dL_dW": answer})
    assert grade.score == pytest.approx(score)
    assert not names_in(grade.parts[0])
    assert grade_of(SOFTMAX_LAYER, {"dL_dW": answer}, policy=Policy(entries=0.0)).score == 0.0


@pytest.mark.parametrize("changed", [0, 1])
def test_a_transposed_square_earns_what_its_diagnosis_does_and_no_more(changed: int) -> None:
    # most of its entries are those of its transpose
    weights = np.array([[0.5, 0.2, 0.2], [0.2, -0.4, 0.2], [0.2, 0.9, 0.7]])
    layers = (Layer(weights=weights, activation="tanh"), *TWO_LAYERS.network.layers[1:])
    square = Problem(network=Network(layers=(layers[0], replace(layers[1], weights=layers[1].weights[:3]))),
                     inputs=np.array([[0.5, 0.2, -0.3]]), targets=np.array([1]), loss="cross_entropy")  # fmt: skip
    answer = weights.copy()
    answer[0, 0] += 0.1 * changed
    policy = Policy(entries=1.0, mistakes={"transposed": 0.1})
    grade = grade_of(square, {"dZ1_dX": answer}, policy=policy)
    assert grade.parts[0].entries is not None
    assert grade.parts[0].entries.mean() == pytest.approx((7 - changed) / 9)
    assert ("transposed" in names_in(grade.parts[0])) != bool(changed)
    assert grade.score == (0.0 if changed else pytest.approx(0.1))


def test_one_number_has_no_entries_to_be_right_in() -> None:
    assert mark(SOFTMAX_LAYER, "L", 0.9999).score == 0.0
