"""A mistake that comes later is a new version: it changes no exercise that was drawn before."""

import json
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from core.exercises import KINDS, draw_exercise, drawing
from core.exercises.certificate import _known, faults
from core.exercises.drawing import _draw, is_good
from core.exercises.telling import Telling
from core.grading import read_asks, suspects
from core.mistakes import MISTAKES, Mistake
from core.registry import Registry
from core.steps import adjust_rule
from tests.core.test_exercises import GOLDEN, numbers_of

# so near to the truth that nobody can tell, in any numbers
HIDDEN = Mistake(
    name="nearly_right",
    family="test",
    produces="1.0001 t",
    message="This is nearly right.",
    ways=((adjust_rule("affine", lambda exact, place, *inputs: 1.0001 * exact(*inputs)),),),
    since=2,
)
each_kind = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Go on to a release that knows one more mistake."""
    monkeypatch.setattr(suspects, "MISTAKES", Registry("mistake", *MISTAKES.values(), HIDDEN))
    yield
    # what was found out about the later version holds in it only
    _known.cache_clear()


@each_kind
@pytest.mark.usefixtures("later")
def test_a_later_mistake_is_not_among_those_of_version_1(kind: str) -> None:
    exercise = draw_exercise(kind, 3, 1)
    keys = list(read_asks(exercise.asks, exercise.problem).values())
    names = {variant.name for variant in Telling(exercise.problem, keys, exercise.decimals, version=1).variants}
    newer = {variant.name for variant in Telling(exercise.problem, keys, exercise.decimals, version=2).variants}
    assert HIDDEN.name in newer - names


@each_kind
@pytest.mark.usefixtures("later")
def test_a_later_mistake_that_hides_in_a_draw_rules_it_out_in_the_later_version_only(kind: str) -> None:
    exercise = draw_exercise(kind, 3, 1)
    keys = list(read_asks(exercise.asks, exercise.problem).values())
    assert is_good(exercise.problem, keys, KINDS[kind], 1)
    assert not is_good(exercise.problem, keys, KINDS[kind], 2)
    assert any(HIDDEN.name in fault for fault in faults(exercise.problem, keys, exercise.decimals, version=2))


@each_kind
@pytest.mark.usefixtures("later")
def test_version_1_is_drawn_as_before_in_the_later_release(kind: str) -> None:
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))["exercises"]
    # past the cache, which remembers the draws of the release before
    assert numbers_of(_draw.__wrapped__(kind, 7, 1)) == golden[f"{kind} 7"]


def test_a_kind_without_a_good_draw_is_a_fault_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing, "MOST_DRAWS", 0)
    with pytest.raises(RuntimeError, match="no good draw of softmax_chain"):
        draw_exercise("softmax_chain", 2_000_003)


def test_what_hides_in_the_numbers_is_a_fault() -> None:
    exercise = draw_exercise("weight_gradients", 0)
    problem, keys = exercise.problem, list(read_asks(exercise.asks, exercise.problem).values())
    ones = replace(problem, inputs=np.ones(problem.inputs.shape))
    assert not faults(problem, keys, exercise.decimals)
    assert any("inputs_missing" in fault for fault in faults(ones, keys, exercise.decimals))
    assert any("too far" in fault for fault in faults(replace(problem, inputs=50.0 * problem.inputs), keys, 4))
    assert any("rounding hides" in fault for fault in faults(problem, keys, 1))
