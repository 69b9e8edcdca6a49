"""The solution of an exercise: all of it, or without numbers as far as somebody has come."""

from collections.abc import Mapping

from core.budget import Budget
from core.errors import DomainError
from core.exercises import draw_exercise
from core.grade_requests import ExerciseReference, Grader, GradeRequest
from core.problem import Problem
from core.quantities import parse_quantities, parse_quantity, public_name
from core.solutions import DEFAULT_DECIMALS, WorkedSolution, solve_problem


def solve_exercise(
    reference: ExerciseReference,
    quantities: tuple[str, ...] | None = None,
    *,
    shows_numbers: bool,
    answers: Mapping[str, object] | None = None,
    entry: Mapping[str, tuple[int, ...]] | None = None,
    decimals: int = DEFAULT_DECIMALS,
    with_derivation: bool = False,
    budget: Budget | None = None,
) -> WorkedSolution:
    """Work an exercise out.

    Parameters
    ----------
    reference : ExerciseReference
    quantities : tuple of str, optional
        What is wanted of the exercise's solution; by default what it asks.
    shows_numbers : bool
        False gives the steps without numbers, up to the first whose quantity the answers have not right.
    answers : mapping of str to object, optional
        Numbers, nested lists or text, under quantity ids.
    entry, decimals, with_derivation, budget
        As `solve_problem` takes them.

    Returns
    -------
    WorkedSolution

    Raises
    ------
    DomainError
        If a quantity is not on the way to what the exercise asks; and as `solve_problem`.
    UnknownNameError, TooLargeError, NonFiniteError
        As `solve_problem`, and `draw_exercise` for an exercise that there is not.
    """
    exercise = draw_exercise(reference.kind, reference.seed, reference.version)
    problem, asks = exercise.problem, exercise.asks
    if quantities is not None:
        _require_on_the_way(problem, quantities, solve_problem(problem, asks, budget=budget))
    solution = solve_problem(
        problem,
        asks if quantities is None else quantities,
        entry=entry,
        decimals=decimals,
        with_derivation=with_derivation,
        budget=budget,
    )
    if shows_numbers:
        return solution
    right = _find_right(reference, problem, answers, budget) if answers else set()
    return solution.outline([step.quantity for step in solution.steps if _key(step.quantity, problem) in right])


def _require_on_the_way(problem: Problem, quantities: tuple[str, ...], whole: WorkedSolution) -> None:
    steps = {_key(step.quantity, problem) for step in whole.steps}
    for index, quantity in enumerate(parse_quantities(quantities, problem, path=("quantities",)).values()):
        if quantity.key not in steps:
            raise DomainError(
                f"{public_name(quantity.key, problem)} is no step to what the exercise asks; needed one of its steps, "
                "because its solution has no others",
                path=("quantities", index),
            )


def _find_right(
    reference: ExerciseReference, problem: Problem, answers: Mapping[str, object], budget: Budget | None
) -> set[str]:
    grade = Grader(budget=budget).grade(GradeRequest(exercise=reference, answers=answers, feedback="verdict"))
    return {_key(part.quantity, problem) for part in grade.parts if part.verdict == "correct"}


def _key(text: str, problem: Problem) -> str:
    return parse_quantity(text, problem).key
