"""What makes a draw good, and what rules it out."""

from dataclasses import replace

import numpy as np
import pytest

from core.exercises import draw_exercise, drawing
from core.exercises.acceptance import find_defects
from core.grading import read_asks


def test_a_kind_without_a_good_draw_is_a_fault_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing, "MOST_DRAWS", 0)
    with pytest.raises(RuntimeError, match="no good draw of softmax_chain"):
        draw_exercise("softmax_chain", 2_000_003)


def test_what_hides_in_the_numbers_is_a_fault() -> None:
    exercise = draw_exercise("weight_gradients", 0)
    problem, keys = exercise.problem, list(read_asks(exercise.asks, exercise.problem).values())
    ones = replace(problem, inputs=np.ones(problem.inputs.shape))
    assert not find_defects(problem, keys, exercise.decimals)
    assert any("inputs_missing" in fault for fault in find_defects(ones, keys, exercise.decimals))
    assert any("too far" in fault for fault in find_defects(replace(problem, inputs=50.0 * problem.inputs), keys, 4))
    assert any("rounding hides" in fault for fault in find_defects(problem, keys, 1))
