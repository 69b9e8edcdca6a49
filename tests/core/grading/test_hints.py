"""Hints: they hold for every right answer, and nothing of the truth enters them."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings

from core.answers import count_decimals
from core.conventions import Conventions
from core.errors import counted
from core.exercises import KINDS, draw_exercise
from core.grade_requests import ExerciseReference, Grader, GradeRequest
from core.grading import FEWEST_DECIMALS, Tolerance, UsedTolerance, read_asks
from core.grading.hints import TOO_FEW_DECIMALS, TOO_NEAR, TOO_SMALL, find_hints
from core.grading.shapes import describe_misfit
from core.invariants import INVARIANTS
from core.problem import Network, Problem
from core.quantities import to_quantity
from core.scenarios import Scenarios
from tests.support.problems import problems
from tests.support.students import (
    ONE_SAMPLE,
    SOFTMAX_LAYER,
    hand_in,
    mark,
    part_of,
    set_question,
    with_hidden,
    work_out,
)

EXACT = UsedTolerance(relative=1e-6, absolute=1e-9)


@settings(deadline=None, max_examples=100, derandomize=True)
@given(problems())
def test_no_right_answer_gets_a_hint(problem: Problem) -> None:
    depth = problem.network.depth
    keys = [f"Z{depth}", f"A{depth}", f"dA{depth}_dZ{depth}", f"dA{depth}_dW{depth}"]
    keys += ["L", f"dL_dZ{depth}", f"dL_dW{depth}", f"dL_dA{depth}"]
    keys += [f"dL_db{depth}"] if problem.network.layers[-1].bias is not None else []
    scenarios = Scenarios(problem)
    for key in keys:
        assert find_hints(problem, to_quantity(key), scenarios.value(key), 4, EXACT) == (), key


def test_every_invariant_is_missed_by_some_answer_and_met_by_a_right_one_rounded() -> None:
    truths = work_out(SOFTMAX_LAYER, 4) | {"dA1_dZ1": Scenarios(SOFTMAX_LAYER).value("dA1_dZ1").round(4)}
    truths["A1"] = truths["S"]
    used = UsedTolerance(decimals=4)
    missed = set()
    for key in ("A1", "L", "dL_dZ1", "dL_dW1", "dL_db1", "dA1_dZ1"):
        quantity = to_quantity(key)
        assert find_hints(SOFTMAX_LAYER, quantity, truths[key], 4, used) == ()
        for wrong in (truths[key] + 0.1, truths[key] - 9.0):
            missed |= set(find_hints(SOFTMAX_LAYER, quantity, wrong, 4, used))
    assert missed == {f"Check: {one.state(SOFTMAX_LAYER)}. {one.denial}" for one in INVARIANTS.values()}
    assert any("because every row of dL/dZ = (S − Y)/N does. " in hint for hint in missed)


@pytest.mark.parametrize(
    ("problem", "reason"),
    [
        (SOFTMAX_LAYER, "dL/dZ = (S − Y)/N"),
        (replace(SOFTMAX_LAYER, conventions=Conventions(log_base=2)), "dL/dZ = (S − Y)/(N·ln 2)"),
        (replace(SOFTMAX_LAYER, conventions=Conventions(reduction="sum")), "dL/dZ = S − Y"),
        (replace(SOFTMAX_LAYER, conventions=Conventions(reduction="sum", log_base=10)), "dL/dZ = (S − Y)/ln 10"),
        (ONE_SAMPLE, "dL/dZ = S − Y"),
        (replace(SOFTMAX_LAYER, targets=np.eye(3)[[2, 0, 2, 1]], loss="squared_error"), "dL/dZ does"),
    ],
)
def test_a_hint_gives_the_formula_of_this_problem(problem: Problem, reason: str) -> None:
    part = mark(problem, "dL_dW", np.ones(problem.network.layers[0].weights.shape))
    assert part.hints is not None
    assert f"because every row of {reason}" in part.hints[0]


@pytest.mark.parametrize(
    ("answer", "decimals", "told"),
    [
        ([0.01, -0.02], 2, TOO_SMALL),
        ([0.1, -0.02], 2, TOO_SMALL),
        ([0.11, -0.02], 2, None),
        ([0.51, 0.53], 2, TOO_NEAR),
        ([0.51, 0.56], 2, None),
        (0.5, 2, None),
        (0.0, 2, TOO_SMALL),
        ([0.0, 0.0], None, None),
    ],
)
def test_few_digits_are_told_from_the_answer_alone(answer: object, decimals: int | None, told: str | None) -> None:
    used = UsedTolerance(decimals=decimals, relative=None if decimals else 1e-4)
    quantity = to_quantity("dL_dX")
    assert find_hints(SOFTMAX_LAYER, quantity, np.asarray(answer), decimals, used) == ((told,) if told else ())


@pytest.mark.parametrize(("answer", "told"), [([-0.5, -0.5], TOO_NEAR), ([0.1, 0.0], TOO_SMALL)])
def test_zeros_that_may_have_been_written_are_not_called_missing(answer: object, told: str) -> None:
    # -0.50 twice has the decimals that were asked, and cannot be told from a constant
    hints = find_hints(SOFTMAX_LAYER, to_quantity("dL_dX"), np.asarray(answer), 1, UsedTolerance(decimals=2))
    assert hints == (told,)


def test_a_wrong_answer_of_few_digits_is_told_to_write_more() -> None:
    part = hand_in(set_question(SOFTMAX_LAYER, "dL_db"), {"dL_db": [0.03, -0.01, 0.02]}).parts[0]
    assert TOO_SMALL in (part.hints or ())


def coarse(found: int, needed: int) -> str:
    return TOO_FEW_DECIMALS.format(found=counted(found, "decimal"), needed=counted(needed, "decimal"))


@pytest.mark.parametrize("kind", KINDS)
def test_right_numbers_of_an_exercise_that_are_too_coarse_are_told_how_many_decimals_it_asks_for(kind: str) -> None:
    exercise = draw_exercise(kind, 7)
    needed, told = exercise.decimals, 0
    for asked in exercise.asks:
        key = read_asks((asked,), exercise.problem)[asked]
        truth = Scenarios(exercise.problem).value(key)
        for decimals in range(needed + 1):
            answer = np.round(truth, decimals).tolist()
            reference = ExerciseReference(kind=kind, seed=7)
            request = GradeRequest(exercise=reference, answers={asked: answer}, feedback="hint")
            part, written = (
                part_of(Grader().grade(request), asked),
                max(0, int(count_decimals(np.array(answer)).max())),
            )
            assert part.hints is not None
            is_told = coarse(written, needed) in part.hints
            is_wrong = part.verdict == "incorrect" and written != needed
            assert is_told == bool(is_wrong and written), (asked, decimals)
            told += is_told
    assert told


@pytest.mark.parametrize(
    ("answer", "asked", "found"),
    [
        ("0.5", 4, 1),
        ("0.5000", 4, 1),
        ("5e-2", 4, 2),
        ("50e-2", 4, 1),
        ("12.125", 4, None),
        ("12.1", 4, 1),
        ("0.5125", 4, None),
        ("51251e-5", 4, None),
        ("0.51255", 4, None),
        ("0.51", FEWEST_DECIMALS, None),
        ("0.5", FEWEST_DECIMALS, 1),
        ("0", FEWEST_DECIMALS, None),
        ("1", 4, None),
        ("150", 4, None),
        ("1/2", 4, 1),
        ("0.51234567", 4, None),
    ],
)
def test_a_wrong_loss_is_told_of_its_decimals_where_it_has_fewer_than_asked(
    answer: str, asked: int, found: int | None
) -> None:
    part = hand_in(set_question(SOFTMAX_LAYER, "L", decimals=asked), {"L": answer}).parts[0]
    assert part.verdict == "incorrect"
    told = [hint for hint in part.hints or () if "zeros at the end" in hint]
    assert told == ([] if found is None else [coarse(found, asked)])


def test_the_most_decimals_of_any_entry_are_those_of_an_answer() -> None:
    solution = set_question(SOFTMAX_LAYER, "dL_db", decimals=4)
    for answer, hints in (
        ([0.5, 1, -1.25], (coarse(2, 4),)),
        ("0.5 1 -1/8", (coarse(3, 4),)),
        ([0.5, 1, -1.0625], ()),
    ):
        part = hand_in(solution, {"dL_db": answer}).parts[0]
        assert part.verdict == "incorrect"
        assert tuple(hint for hint in part.hints or () if "zeros at the end" in hint) == hints


def test_decimals_are_those_of_a_tolerance_that_is_given_and_none_are_needed_for_another() -> None:
    solution = set_question(SOFTMAX_LAYER, "L", decimals=4)
    for tolerance, needed in ((Tolerance(decimals=3), 3), (Tolerance(decimals=2), None), (Tolerance(relative=1e-3), 0)):
        part = hand_in(solution, {"L": "0.51"}, tolerance=tolerance).parts[0]
        assert part.verdict == "incorrect"
        assert part.hints == ((coarse(2, needed),) if needed else ())


def test_a_right_answer_whose_numbers_end_early_is_told_nothing() -> None:
    layer = replace(SOFTMAX_LAYER.network.layers[0], weights=np.zeros((2, 3)), bias=np.array([1.0, 0.0, 0.5]))
    problem = replace(SOFTMAX_LAYER, network=Network(layers=(layer,)))
    part = hand_in(set_question(problem, "Z", decimals=4), {"Z": [[1, 0, 0.5]] * 4}).parts[0]
    assert (part.verdict, part.hints) == ("correct", ())


def test_zeros_and_ones_for_a_jacobian_are_slopes_and_nothing_that_was_rounded() -> None:
    problem = with_hidden("relu")
    truth = Scenarios(problem).value("dA1_dZ1")
    solution = set_question(problem, "dA1_dZ1", decimals=4)
    part = hand_in(solution, {"dA1_dZ1": 1.0 - truth}).parts[0]
    assert (part.verdict, part.hints) == ("incorrect", ())


def test_labels_in_place_of_probabilities_are_told_of_their_shape_alone() -> None:
    part = mark(SOFTMAX_LAYER, "S", [2, 0, 2, 1])
    assert (part.verdict, part.hints) == ("wrong_shape", (describe_misfit((4,), (4, 3)),))
