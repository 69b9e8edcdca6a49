"""Hints: they hold for every right answer, and nothing of the truth enters them."""

import numpy as np
import pytest
from hypothesis import given, settings

from core.grading.grade import UsedTolerance
from core.grading.invariants import INVARIANTS, find_hints, has_few_digits
from core.problem import Problem
from core.quantities import to_quantity
from core.scenarios import Scenarios
from tests.problems import problems
from tests.students import SOFTMAX_LAYER, hand_in, set_question, work_out

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
        assert find_hints(problem, to_quantity(key), scenarios.value(key), EXACT) == (), key


def test_every_invariant_is_missed_by_some_answer_and_met_by_a_right_one_rounded() -> None:
    truths = work_out(SOFTMAX_LAYER, 4) | {"dA1_dZ1": Scenarios(SOFTMAX_LAYER).value("dA1_dZ1").round(4)}
    truths["A1"] = truths["S"]
    used = UsedTolerance(decimals=4)
    missed = set()
    for key in ("A1", "L", "dL_dZ1", "dL_dW1", "dL_db1", "dA1_dZ1"):
        quantity = to_quantity(key)
        assert find_hints(SOFTMAX_LAYER, quantity, truths[key], used) == ()
        for wrong in (truths[key] + 0.1, truths[key] - 9.0):
            missed |= set(find_hints(SOFTMAX_LAYER, quantity, wrong, used))
    assert missed == {invariant.message for invariant in INVARIANTS.values()}


@pytest.mark.parametrize(
    ("answer", "decimals", "has_few"),
    [
        ([0.01, -0.02], 2, True),
        ([0.1, -0.02], 2, True),
        ([0.11, -0.02], 2, False),
        ([0.51, 0.53], 2, True),
        ([0.51, 0.56], 2, False),
        (0.5, 2, False),
        (0.0, 2, True),
        ([0.0, 0.0], None, False),
    ],
)
def test_few_digits_are_told_from_the_answer_alone(answer: object, decimals: int | None, has_few: bool) -> None:
    used = UsedTolerance(decimals=decimals, relative=None if decimals else 1e-4)
    assert has_few_digits(np.asarray(answer), used) == has_few


def test_a_wrong_answer_of_few_digits_is_told_to_write_more() -> None:
    part = hand_in(set_question(SOFTMAX_LAYER, "dL_db"), {"dL_db": [0.03, -0.01, 0.02]}).parts[0]
    assert any("more decimals" in hint for hint in part.hints or ())
