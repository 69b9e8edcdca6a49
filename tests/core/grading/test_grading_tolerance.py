"""How far an answer may lie off, and that what is nearer to a mistake than to the truth is not right."""

from dataclasses import replace

import numpy as np
import pytest

from core.arrays import Array
from core.budget import Budget
from core.conventions import L2, Conventions
from core.errors import CoreError, DomainError, NonFiniteError, Path, TooLargeError, UnknownNameError
from core.grading import Grade, Policy, Question, Solution, Tolerance, UsedTolerance
from core.mistakes import MISTAKES
from core.problem import Problem
from core.scenarios import Scenarios, select
from tests.support.problems import two_layers
from tests.support.students import (
    SOFTMAX_LAYER,
    TWO_LAYERS,
    hand_in,
    mark,
    names_in,
    part_of,
    set_question,
    verdicts,
    work_out,
)

ANSWERS = work_out(SOFTMAX_LAYER)
LOSS = float(ANSWERS["L"])
GRADIENT = ANSWERS["dL_dW1"]
LARGEST = float(np.abs(GRADIENT).max())


def used(grade: Grade, key: str) -> UsedTolerance:
    tolerance = part_of(grade, key).tolerance
    assert tolerance is not None
    return tolerance


@pytest.mark.parametrize(
    ("answer", "asked", "decimals"),
    [
        ("0.8", None, 2),
        ("0.8", 1, 1),
        (0.81, 1, 1),
        ("0.8123", None, 4),
        ("0.8123", 5, 5),
        ("0.812300", None, 4),
        ("8.123e-1", None, 4),
        (0.812345, None, 6),
        (0.8123456, None, None),
        (0.8123456, 8, None),
        ("1/3", None, None),
        (2, None, 2),
        (2, 3, 3),
    ],
)
def test_the_reply_shows_the_decimals_that_were_asked_or_read(
    answer: object, asked: int | None, decimals: int | None
) -> None:
    grade = hand_in(set_question(SOFTMAX_LAYER, "L", decimals=asked), {"L": answer})
    found = used(grade, "L")
    assert found.decimals == decimals
    assert (found.relative, found.absolute) == ((None, None) if decimals is not None else (1e-4, 0.0))


def test_the_reply_shows_the_most_decimals_of_any_entry() -> None:
    grade = hand_in(set_question(SOFTMAX_LAYER, "dL_db"), {"dL_db": [0.1, 0.25, -0.3001]})
    assert used(grade, "dL_db").decimals == 4


@pytest.mark.parametrize(
    ("tolerance", "off", "is_right"),
    [
        (Tolerance(decimals=3), 0.001, True),
        (Tolerance(decimals=3), 0.01, False),
        (Tolerance(decimals=1), 0.02, True),
        (Tolerance(relative=0.01), 0.009 * LOSS, True),
        (Tolerance(relative=0.01), 0.011 * LOSS, False),
        (Tolerance(absolute=0.02), 0.0199, True),
        (Tolerance(absolute=0.02), -0.0201, False),
        (Tolerance(relative=0.01, absolute=0.02), 0.0199 + 0.01 * LOSS, True),
        (Tolerance(relative=0.01, absolute=0.02), 0.0201 + 0.01 * LOSS, False),
        (Tolerance(relative=0.0, absolute=0.02), 0.0199, True),
        (None, 0.9e-4 * LOSS, True),
        (None, 1.1e-4 * LOSS, False),
    ],
)
def test_a_tolerance_is_kept_to_the_digit(tolerance: Tolerance | None, off: float, *, is_right: bool) -> None:
    grade = hand_in(set_question(SOFTMAX_LAYER, "L"), {"L": LOSS + off}, tolerance=tolerance)
    assert grade.verdict == ("correct" if is_right else "incorrect")


def test_the_tolerance_given_is_stated() -> None:
    by_hand = hand_in(set_question(SOFTMAX_LAYER, "L"), {"L": LOSS}, tolerance=Tolerance(decimals=3))
    by_machine = hand_in(set_question(SOFTMAX_LAYER, "L"), {"L": LOSS}, tolerance=Tolerance(relative=0.01))
    assert used(by_hand.at("verdict"), "L") == UsedTolerance(decimals=3)
    assert used(by_machine.at("verdict"), "L") == UsedTolerance(relative=0.01, absolute=0.0)


def test_decimals_allow_more_the_further_down_a_quantity_is_computed() -> None:
    grade = hand_in(set_question(TWO_LAYERS, "Z1", "S", "dL_dZ2", "dL_dW1", decimals=4), work_out(TWO_LAYERS, 4))
    allowed = {part.quantity: part.tolerance.allowed or 0.0 for part in grade.parts if part.tolerance}
    assert 0.5e-4 <= allowed["S"] < allowed["dL_dW1"] < 10e-4
    assert allowed["dL_dZ2"] < allowed["dL_dW1"]


@pytest.mark.parametrize("problem", [SOFTMAX_LAYER, TWO_LAYERS], ids=["softmax layer", "two layers"])
@pytest.mark.parametrize("fewest", [0, 2])
def test_zeros_and_constants_never_pass_however_few_decimals(problem: Problem, fewest: int) -> None:
    small = replace(problem, inputs=0.01 * problem.inputs)
    for asked in (problem, small):
        for key, truth in work_out(asked).items():
            solution = set_question(asked, key, decimals=fewest)
            for constant in (
                0.0,
                float(np.round(truth.mean(), 1)),
                float(np.round((truth.max() + truth.min()) / 2, 2)),
            ):
                answer = np.full(truth.shape, constant)
                if truth.ndim or constant == 0.0:
                    assert hand_in(solution, {key: answer}).verdict != "correct"


def test_relative_tolerance_is_of_the_largest_entry() -> None:
    answer = GRADIENT + 0.009 * LARGEST
    assert mark(SOFTMAX_LAYER, "dL_dW", answer, tolerance=Tolerance(relative=0.01)).verdict == "correct"
    assert mark(SOFTMAX_LAYER, "dL_dW", answer, tolerance=Tolerance(relative=0.008)).verdict == "incorrect"


def near(mistake: Array, truth: Array, share: float) -> Array:
    """Go a part of the way from the truth to a mistake."""
    return truth + share * (mistake - truth)


@pytest.mark.parametrize(
    ("share", "verdict", "names"),
    [
        (0.0, "correct", set()),
        (0.45, "correct", set()),
        (0.55, "incorrect", {"bias_ignored"}),
        (1.0, "incorrect", {"bias_ignored"}),
    ],
)
def test_what_is_nearer_to_a_mistake_than_to_the_truth_is_that_mistake(
    share: float, verdict: str, names: set[str]
) -> None:
    # so wide a tolerance that the mistake lies within it
    bias = SOFTMAX_LAYER.network.layers[0].bias
    assert bias is not None
    truth = ANSWERS["Z1"]
    part = mark(SOFTMAX_LAYER, "Z", near(truth - bias, truth, share), tolerance=Tolerance(absolute=1.0))
    assert (part.verdict, names_in(part)) == (verdict, names)


def test_the_nearest_mistake_is_named_with_those_that_give_the_same_numbers() -> None:
    two_samples = replace(SOFTMAX_LAYER, inputs=SOFTMAX_LAYER.inputs[:2], targets=np.array([2, 0]))
    # N = 2: the sum is twice the mean
    answer = 2.0 * work_out(two_samples)["dL_dZ1"]
    for tolerance in (None, Tolerance(absolute=1.0)):
        part = mark(two_samples, "dL_dZ", answer, tolerance=tolerance)
        assert part.verdict == "incorrect"
        assert names_in(part) == {"summed_over_batch", "factor_two"}


def test_what_is_nearer_to_another_convention_is_that_convention() -> None:
    weak = replace(SOFTMAX_LAYER, conventions=Conventions(l2=L2(strength=2.5e-4)))
    other = replace(SOFTMAX_LAYER, conventions=Conventions(l2=L2(strength=2.5e-4, factor=1.0)))
    answer = {"dL_dW": np.round(work_out(other)["dL_dW1"], 4)}
    part = hand_in(set_question(weak, "dL_dW"), answer).parts[0]
    assert (part.verdict, part.convention, part.diagnoses) == ("convention_mismatch", {"l2.factor": 1}, ())
    part = hand_in(set_question(weak, "dL_dW", stated=frozenset({"l2.factor"})), answer).parts[0]
    assert (part.verdict, part.convention, names_in(part)) == ("incorrect", None, {"l2_factor"})


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({}, ()),
        ({"decimals": 3, "relative": 0.1}, ()),
        ({"decimals": 3, "absolute": 0.1}, ()),
        ({"relative": 0.0}, ()),
        ({"absolute": 0.0}, ()),
        ({"relative": 0.0, "absolute": 0.0}, ()),
        ({"decimals": -1}, ("decimals",)),
        ({"decimals": 16}, ("decimals",)),
        ({"relative": -0.1}, ("relative",)),
        ({"relative": 1.1}, ("relative",)),
        ({"relative": float("nan")}, ("relative",)),
        ({"absolute": 1e9}, ("absolute",)),
        ({"absolute": float("inf"), "relative": 0.1}, ("absolute",)),
        ({"absolute": -1e-9}, ("absolute",)),
    ],
)
def test_a_tolerance_that_is_none_is_refused(given: dict[str, float], path: Path) -> None:
    with pytest.raises(DomainError) as caught:
        Tolerance(**given)  # type: ignore[arg-type]  # a row of the table above
    assert caught.value.path == path


@pytest.mark.parametrize(
    ("given", "error", "path"),
    [
        ({"weights": {"S": -1.0}}, DomainError, ("weights", "S")),
        ({"weights": {"S": float("inf")}}, DomainError, ("weights", "S")),
        ({"weights": {"S": float("nan")}}, DomainError, ("weights", "S")),
        ({"mistakes": {"carelessness": 0.5}}, UnknownNameError, ("mistakes", "carelessness")),
        ({"mistakes": {"transposed": 1.5}}, DomainError, ("mistakes", "transposed")),
        ({"convention": -0.1}, DomainError, ("convention",)),
        ({"entries": 1.1}, DomainError, ("entries",)),
        ({"entries": float("nan")}, DomainError, ("entries",)),
    ],
)
def test_a_policy_that_is_none_is_refused(given: dict[str, object], error: type[CoreError], path: Path) -> None:
    with pytest.raises(error) as caught:
        Policy(**given)  # type: ignore[arg-type]  # a row of the table above
    assert caught.value.path == path


@pytest.mark.parametrize(
    ("weights", "path"),
    [
        ({"L": 1.0}, ("policy", "weights", "L")),
        # an id that means a quantity asked, but is spelt otherwise
        ({"Z1": 1.0}, ("policy", "weights", "Z1")),
        ({"S": 0.0, "Z": 0.0}, ("policy", "weights")),
    ],
)
def test_weights_are_of_what_is_asked(weights: dict[str, float], path: Path) -> None:
    with pytest.raises(DomainError) as caught:
        hand_in(set_question(SOFTMAX_LAYER, "S", "Z"), {}, policy=Policy(weights=weights))
    assert caught.value.path == path


@pytest.mark.parametrize(
    ("answers", "error", "path"),
    [
        ({"dL_dV": 1}, UnknownNameError, ("answers", "dL_dV")),
        ({"dL_dW3": 1}, UnknownNameError, ("answers", "dL_dW3")),
        ({"dS_dL": 1}, UnknownNameError, ("answers", "dS_dL")),
        ({"dZ1_dW2": 1}, DomainError, ("answers", "dZ1_dW2")),
        ({"dL_dW": 1, "dL_dW2": 1}, DomainError, ("answers", "dL_dW2")),
    ],
)
def test_answers_are_of_quantities_that_there_are(
    answers: dict[str, object], error: type[CoreError], path: Path
) -> None:
    with pytest.raises(error) as caught:
        hand_in(set_question(TWO_LAYERS, "S"), answers)
    assert caught.value.path == path


def test_one_quantity_may_be_asked_and_answered_under_two_spellings() -> None:
    grade = hand_in(set_question(SOFTMAX_LAYER, "dL_dW1"), {"dL_dW": GRADIENT})
    assert verdicts(grade) == {"dL_dW1": "correct"}


def test_a_problem_without_a_loss_is_marked_as_well() -> None:
    grade = hand_in(set_question(two_layers(loss=None), "dZ1_db1"), {"dZ1_db1": [np.eye(3).tolist()] * 3})
    assert verdicts(grade) == {"dZ1_db1": "correct"}


@pytest.mark.parametrize(("asks", "path"), [(("S", "dL_dS"), ("asks", 1)), (("S",), ("answers", "dL_dS"))])
def test_a_truth_that_does_not_fit_float64_is_refused_where_it_is_asked(asks: tuple[str, ...], path: Path) -> None:
    problem = replace(SOFTMAX_LAYER, inputs=1e5 * SOFTMAX_LAYER.inputs)
    with pytest.raises(NonFiniteError) as caught:
        hand_in(set_question(problem, *asks), {"dL_dS": [[0.0] * 3] * 4})
    assert caught.value.path == path


def test_a_truth_that_is_too_large_is_refused_where_it_is_asked() -> None:
    question = Question(problem=TWO_LAYERS, asks={"S": "A2", "dS_dW1": "dA2_dW1"})
    with pytest.raises(TooLargeError) as caught:
        hand_in(Solution(question, budget=Budget(numbers=100)), {})
    assert caught.value.path == ("asks", 1)


def test_a_mistake_that_is_met_exactly_where_the_truth_is_0_is_named() -> None:
    still = replace(SOFTMAX_LAYER, inputs=np.zeros_like(SOFTMAX_LAYER.inputs))
    mistaken = Scenarios(still, MISTAKES["inputs_missing"].variants).value("dL_dW1", select(0))
    part = mark(still, "dL_dW", mistaken, tolerance=Tolerance(absolute=1e-3))
    assert part.verdict == "incorrect"
    assert "inputs_missing" in names_in(part)
