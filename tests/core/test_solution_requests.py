"""Solutions of exercises: whole ones, and outlines that go as far as somebody has come."""

import re
from typing import Any

import pytest

from core.errors import CoreError, DomainError, UnknownNameError
from core.exercises import KINDS, draw_exercise
from core.grade_requests import ExerciseReference
from core.propagation import compute_named
from core.quantities import parse_quantity
from core.solution_requests import solve_exercise


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", [0, 7])
def test_every_exercise_can_be_solved_and_outlined(kind: str, seed: int) -> None:
    reference = ExerciseReference(kind=kind, seed=seed)
    asks = draw_exercise(kind, seed).asks
    solution = solve_exercise(reference, shows_numbers=True)
    shown = [step.quantity for step in solution.steps]
    assert set(asks) <= set(shown)
    assert all(check.holds for step in solution.steps for check in step.checks or ())
    outline = solve_exercise(reference, shows_numbers=False)
    assert [step.quantity for step in outline.steps] == shown[:1]
    assert all((step.value, step.checks, step.entry) == (None, None, None) for step in outline.steps)
    # every answer right: the whole way, and still no number
    answers = {step.quantity: step.value.tolist() for step in solution.steps if step.value is not None}
    whole = solve_exercise(reference, shows_numbers=False, answers=answers)
    assert [step.quantity for step in whole.steps] == shown
    assert not re.search(r"\d\.\d", "".join(f"{step.why}{step.shapes}" for step in whole.steps))


REFERENCE = ExerciseReference(kind="weight_gradients", seed=7)
PROBLEM = draw_exercise("weight_gradients", 7).problem


def values(*ids: str) -> dict[str, object]:
    """Compute right answers."""
    return {text: one.value.tolist() for text, one in compute_named(PROBLEM, ids).quantities.items()}


@pytest.mark.parametrize(
    ("answers", "n_shown"),
    [
        ({}, 1),
        ({"Z": "no numbers"}, 1),
        (values("Z"), 2),
        # spelt otherwise
        (values("Z1"), 2),
        (values("S") | {"Z": [[1.0]]}, 3),
        (values("dL_dZ"), 4),
        (values("dL_dW"), 5),
    ],
)
def test_steps_are_shown_up_to_the_first_that_is_not_right(answers: dict[str, object], n_shown: int) -> None:
    outline = solve_exercise(REFERENCE, shows_numbers=False, answers=answers)
    assert [step.quantity for step in outline.steps] == ["Z", "S", "dL_dZ", "dL_dW", "dL_db"][:n_shown]


def test_the_derivation_is_shown_where_the_steps_reach_its_quantity() -> None:
    early = solve_exercise(REFERENCE, shows_numbers=False, answers=values("Z"), with_derivation=True)
    late = solve_exercise(REFERENCE, shows_numbers=False, answers=values("S"), with_derivation=True)
    assert early.derivation is None
    assert "Cancellation" not in early.text
    assert late.derivation is not None
    assert "Cancellation" in late.text


def test_quantities_entries_and_decimals_are_those_of_the_request() -> None:
    solution = solve_exercise(REFERENCE, ("dL_dZ1",), shows_numbers=True, entry={"Z": (0, 1)}, decimals=2)
    assert [step.quantity for step in solution.steps] == ["Z", "S", "dL_dZ1"]
    assert solution.steps[0].entry is not None
    assert solution.steps[0].entry.index == (0, 1)
    assert parse_quantity("dL_dZ", PROBLEM) == parse_quantity(solution.steps[-1].quantity, PROBLEM)


@pytest.mark.parametrize(
    ("reference", "options", "error", "path"),
    [
        # none of these is on the way to what the exercise asks
        (REFERENCE, {"quantities": ("dL_dW", "dL_dX")}, DomainError, ("quantities", 1)),
        (REFERENCE, {"quantities": ("dL_dW", "Z2")}, UnknownNameError, ("quantities", 1)),
        (REFERENCE, {"answers": {"Q": 1.0}}, UnknownNameError, ("answers", "Q")),
        (REFERENCE, {"answers": {"Z": 1.0, "Z1": 1.0}}, DomainError, ("answers", "Z1")),
        (ExerciseReference(kind="weight_gradients", seed=7, version=10**6), {}, CoreError, ("version",)),
    ],
)
def test_what_an_exercise_does_not_have_is_refused_with_its_place(
    reference: ExerciseReference, options: dict[str, Any], error: type[CoreError], path: tuple[object, ...]
) -> None:
    with pytest.raises(error) as caught:
        solve_exercise(reference, shows_numbers=False, **options)
    assert caught.value.path == path
