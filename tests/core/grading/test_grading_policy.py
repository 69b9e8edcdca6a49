"""What parts are worth: weights, credit for mistakes, for another convention and for right entries."""

from dataclasses import replace

import numpy as np
import pytest

from core.conventions import Conventions
from core.grading import Diagnosis, Grade, Part, Policy
from core.grading.credit import charge_once
from core.problem import Layer, Network, Problem
from tests.support.students import (
    DECIMALS,
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


def slipped_s() -> dict[str, np.ndarray]:
    """Work on from probabilities with a slip."""
    s = work_out(SOFTMAX_LAYER, DECIMALS)["S"].copy()
    s[1] += [0.05, -0.05, 0.0]
    return {"S": s, "dL_dZ": (s - SOFTMAX_LAYER.target_distribution()) / 4.0}


@pytest.mark.parametrize(("credit", "is_full"), [(None, True), (1.0, True), (0.4, False), (0.0, False)])
def test_what_follows_earns_the_credit_of_the_policy(credit: float | None, is_full: bool) -> None:
    policy = Policy() if credit is None else Policy(follow_through=credit)
    part = part_of(grade_of(SOFTMAX_LAYER, slipped_s(), policy=policy), "dL_dZ")
    assert (part.verdict, part.score) == ("follows_through", 1.0 if credit is None else credit)
    assert part.entries is not None
    # no entry is marked wrong where nothing is lost
    assert bool(part.entries.all()) == is_full
    assert (part.right, part.of) == (part.entries.sum(), 12)


def test_another_convention_that_follows_is_worth_the_better_of_both_credits() -> None:
    answers = {"dL_dZ": 4.0 * work_out(SOFTMAX_LAYER)["dL_dZ1"], "dL_dW": 4.0 * work_out(SOFTMAX_LAYER)["dL_dW1"]}
    solution = set_question(SOFTMAX_LAYER, *answers)
    for credit, expected in ((1.0, 1.0), (0.7, 0.7), (0.2, 0.5)):
        grade = hand_in(solution, answers, policy=Policy(follow_through=credit))
        assert set(verdicts(grade).values()) == {"convention_mismatch"}
        assert scores(grade) == {"dL_dZ": 0.5, "dL_dW": expected}


def scores(grade: Grade) -> dict[str, float]:
    return {part.quantity: part.score for part in grade.parts}


TRANSPOSED = {key: work_out(TWO_LAYERS)[key].T for key in ("dL_dW2", "dL_dW1")}


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (Policy(), {"dL_dW2": 0.0, "dL_dW1": 0.0}),
        (Policy(once=True), {"dL_dW2": 0.0, "dL_dW1": 1.0}),
        (Policy(once=True, mistakes={"transposed": 0.3}), {"dL_dW2": 0.3, "dL_dW1": 1.0}),
        # what weighs nothing has cost nothing
        (Policy(once=True, weights={"dL_dW2": 0.0}), {"dL_dW2": 0.0, "dL_dW1": 0.0}),
    ],
)
def test_once_a_mistake_costs_only_the_first_part_that_counts(policy: Policy, expected: dict[str, float]) -> None:
    grade = grade_of(TWO_LAYERS, TRANSPOSED, policy=policy)
    assert scores(grade) == pytest.approx(expected)
    # it is a mistake all the same
    assert set(verdicts(grade).values()) == {"wrong_shape"}
    assert grade.verdict != "correct"


def test_once_another_convention_costs_only_the_first_part() -> None:
    right = work_out(replace(SOFTMAX_LAYER, conventions=Conventions(reduction="sum")))
    answers = {"dL_dW": right["dL_dW1"], "dL_db": right["dL_db1"]}
    solution = set_question(SOFTMAX_LAYER, *answers)
    for policy, expected in ((Policy(), 0.5), (Policy(once=True), 1.0)):
        assert scores(hand_in(solution, answers, policy=policy)) == {"dL_dW": 0.5, "dL_db": expected}


def explained(score: float, mistakes: str, *equivalent: str) -> Part:
    reason = Diagnosis(mistakes=tuple(mistakes.split("+")), equivalent=equivalent, message="")
    return Part(quantity=mistakes, verdict="incorrect", score=score, diagnoses=(reason,))


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        # of two mistakes only the new one costs
        ([explained(0.0, "factor_two"), explained(0.0, "factor_two+transposed")], [0.0, 0.5]),
        ([explained(0.0, "factor_two+transposed"), explained(0.5, "transposed")], [0.0, 1.0]),
        ([explained(0.0, "factor_two+transposed"), explained(0.0, "factor_two+sign_flipped")], [0.0, 0.0]),
        # where several give the same numbers, each may be the one
        ([explained(0.0, "factor_two", "summed_over_batch"), explained(0.0, "summed_over_batch")], [0.0, 1.0]),
        ([explained(0.0, "summed_over_batch"), explained(0.0, "factor_two", "summed_over_batch")], [0.0, 1.0]),
        ([explained(0.0, "factor_two", "one_hot_added+sign_flipped"), explained(0.0, "sign_flipped")], [0.0, 0.0]),
    ],
)
def test_once_what_was_charged_before_counts_as_no_mistake(parts: list[Part], expected: list[float]) -> None:
    charged = charge_once(parts, Policy(mistakes={"transposed": 0.5}))
    assert [part.score for part in charged] == pytest.approx(expected)


def test_once_a_slip_of_its_own_still_costs() -> None:
    right = work_out(TWO_LAYERS)
    answers = {"dL_dW2": right["dL_dW2"].T, "dL_dW1": slipped(right["dL_dW1"], (0, 0), (0, 1), (1, 2), (1, 3))}
    assert scores(grade_of(TWO_LAYERS, answers, policy=Policy(once=True))) == {"dL_dW2": 0.0, "dL_dW1": 0.0}


def test_a_part_says_how_much_it_weighs() -> None:
    right = work_out(SOFTMAX_LAYER, DECIMALS)
    solution = set_question(SOFTMAX_LAYER, "S", "L", "dL_dZ")
    grade = hand_in(solution, {"S": right["S"], "dL_dW": right["dL_dW1"]}, policy=Policy(weights={"S": 3.0, "L": 0.0}))
    assert {part.quantity: part.weight for part in grade.parts} == {"S": 3.0, "L": 0.0, "dL_dZ": 1.0, "dL_dW": 0.0}
    assert grade.score == pytest.approx(0.75)
