"""Grading on request: a problem or an exercise, answers in arrays or text, and as much feedback as asked.

Requests can share defaults: what one leaves out is taken from them, and so are the truth and all that is
computed for the search of mistakes.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, fields, replace
from functools import partial
from itertools import pairwise

import numpy as np

from core.answers import MOST_NUMBERS, Answer, read_answer
from core.budget import Budget
from core.conventions import StatedConventions
from core.errors import DomainError, UnknownNameError
from core.exercises import KINDS, draw_exercise
from core.grading import (
    FEWEST_DECIMALS,
    LEVELS,
    ExactMatcher,
    Grade,
    MarkedAgainst,
    Policy,
    Question,
    Solution,
    Submission,
    Tolerance,
    find_exact_matcher,
    grade_submission,
    read_asks,
    read_ids,
)
from core.problem import Problem

DEFAULT_FEEDBACK = "diagnosis"

MOST_SOLUTIONS = 32
"""Solutions kept for further requests."""

MOST_NUMBERS_KEPT = 4_000_000
"""Numbers that all of those keep together. A single large solution may keep more."""


@dataclass(frozen=True, kw_only=True)
class ExerciseReference:
    """An exercise by its kind, seed and version.

    Parameters
    ----------
    version : int, optional
        By default the latest.
    """

    kind: str
    seed: int
    version: int | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class GradeRequest:
    """A submission to mark, or defaults for many; what is None is left out.

    Parameters
    ----------
    problem : Problem, optional
        This, or an exercise.
    exercise : ExerciseReference, optional
    asks : tuple of str, optional
        The quantities of the problem that count; by default those that are answered.
    answers : mapping of str to object, optional
        Numbers, nested lists or text, under quantity ids.
    tolerance : Tolerance, optional
    feedback : str, optional
        One of `LEVELS`; by default `DEFAULT_FEEDBACK`.
    follow_through : bool, optional
    policy : Policy, optional

    Raises
    ------
    DomainError
        If there are both a problem and an exercise, or asks of an exercise.
    UnknownNameError
        If there is no such level of feedback.
    """

    problem: Problem | None = None
    exercise: ExerciseReference | None = None
    asks: tuple[str, ...] | None = None
    answers: Mapping[str, object] | None = None
    tolerance: Tolerance | None = None
    feedback: str | None = None
    follow_through: bool | None = None
    policy: Policy | None = None

    def __post_init__(self) -> None:
        if self.problem is not None and self.exercise is not None:
            raise DomainError("found both problem and exercise; needed one of them", path=("exercise",))
        if self.exercise is not None and self.asks is not None:
            raise DomainError("an exercise says itself what it asks; leave asks out", path=("asks",))
        if self.feedback is not None and self.feedback not in LEVELS:
            raise UnknownNameError(
                f"this level of feedback is not known; needed one of {', '.join(LEVELS)}", path=("feedback",)
            )

    @property
    def is_widening(self) -> bool:
        """Whether the tolerance is wider than the default by itself, however an answer is written."""
        kind = KINDS.get(self.exercise.kind) if self.exercise else None
        fewest = FEWEST_DECIMALS if kind is None else kind.decimals
        return self.tolerance is not None and self.tolerance.is_wider(fewest)

    def over(self, defaults: "GradeRequest") -> "GradeRequest":
        """Return the request with what it leaves out taken from defaults.

        Returns
        -------
        GradeRequest
            A request with a problem or an exercise of its own takes neither, nor asks, from the defaults.
        """
        own = {field.name: getattr(self, field.name) for field in fields(GradeRequest)}
        has_own = self.problem is not None or self.exercise is not None
        kept = {"problem", "exercise", "asks"} if has_own else set()
        taken = {name: getattr(defaults, name) for name, value in own.items() if value is None and name not in kept}
        return GradeRequest(**own | taken)


class Grader:
    """Grades requests; those about one question share what is computed for it.

    Parameters
    ----------
    defaults : GradeRequest, optional
        What requests leave out.
    budget : Budget, optional
        What each request may hold and do.
    may_widen : bool
        Whether a request's tolerance counts where it is wider than the default.
    admit : callable, optional
        ``admit(request)`` takes a request with what it leaves out, and returns what is graded of it, or refuses it
        with an error.
    """

    def __init__(
        self,
        defaults: GradeRequest | None = None,
        *,
        budget: Budget | None = None,
        may_widen: bool = True,
        admit: Callable[[GradeRequest], GradeRequest] | None = None,
    ) -> None:
        self._defaults = defaults or GradeRequest()
        self._budget = budget or Budget()
        self._may_widen = may_widen
        self._admit = admit
        self._kept: OrderedDict[Hashable, Solution] = OrderedDict()

    @np.errstate(all="ignore")
    def grade(self, request: GradeRequest) -> Grade:
        """Grade one request.

        Returns
        -------
        Grade
            As much of it as the feedback level shows.

        Raises
        ------
        DomainError
            If there is neither problem nor exercise, no answers, or something that does not fit the question.
        UnknownNameError
            If an id names nothing of the problem, or there is no such exercise.
        TooLargeError, NonFiniteError
            If the truth is too large, or does not fit float64.
        """
        request = self._complete(request)
        if request.answers is None:
            raise DomainError("there are no answers to mark", path=("answers",))
        solution = self._find_solution(request)
        submission = Submission(
            answers=self._read_answers(request.answers, solution),
            tolerance=request.tolerance,
            policy=request.policy or Policy(),
            follow_through=request.follow_through is not False,
            may_widen=self._may_widen,
        )
        return grade_submission(solution, submission).at(request.feedback or DEFAULT_FEEDBACK)

    @np.errstate(all="ignore")
    def find_exact_matcher(self, request: GradeRequest) -> ExactMatcher | None:
        """Return what tells requests that are right outright, as long as they differ in nothing but their numbers.

        Parameters
        ----------
        request : GradeRequest
            One of them, which can be marked.

        Returns
        -------
        ExactMatcher or None
            None if such requests have to be marked one by one.
        """
        request = self._complete(request)
        # that level shows numbers of the answer
        if request.answers is None or request.feedback == LEVELS[-1]:
            return None
        solution = self._find_solution(request)
        read = self._read_answers(request.answers, solution)
        answers_by_key = {key: read[text] for text, key in read_ids(request.answers, solution.question.problem).items()}
        return find_exact_matcher(solution, answers_by_key, request.tolerance, may_widen=self._may_widen)

    def _complete(self, request: GradeRequest) -> GradeRequest:
        whole = request.over(self._defaults)
        return whole if self._admit is None else self._admit(whole)

    def _read_answers(self, answers: Mapping[str, object], solution: Solution) -> dict[str, Answer]:
        most = max(MOST_NUMBERS, min(self._budget.numbers, 2 * _largest_size(solution.question.problem)))
        shapes = solution.find_shapes(answers)
        return {name: read_answer(raw, shape=shapes[name], most_numbers=most) for name, raw in answers.items()}

    def _find_solution(self, request: GradeRequest) -> Solution:
        exercise, problem = request.exercise, request.problem
        if exercise is not None:
            return self._keep(exercise, partial(_ask_exercise, exercise))
        if problem is None:
            raise DomainError("found neither problem nor exercise; needed one of them to mark against")
        asks, is_answered = request.asks, request.asks is None
        if asks is None:
            asks = tuple(request.answers or ())
            if not asks:
                raise DomainError("found no answers and no asks; needed at least one quantity", path=("answers",))
        ask = partial(_ask_problem, problem, asks, is_answered=is_answered)
        return self._keep((asks, is_answered), ask) if problem is self._defaults.problem else self._solve(ask())

    def _keep(self, key: Hashable, ask: Callable[[], Question]) -> Solution:
        """Return the solution of a question, and keep it in place of those that have not been used for longest."""
        kept = self._kept
        if key not in kept:
            kept[key] = self._solve(ask())
        kept.move_to_end(key)
        while len(kept) > MOST_SOLUTIONS or (len(kept) > 1 and sum(s.held for s in kept.values()) > MOST_NUMBERS_KEPT):
            kept.popitem(last=False)
        return kept[key]

    def _solve(self, question: Question) -> Solution:
        return Solution(question, budget=self._budget)


def _ask_exercise(reference: ExerciseReference) -> Question:
    try:
        exercise = draw_exercise(reference.kind, reference.seed, reference.version)
    except (DomainError, UnknownNameError) as error:
        raise error.at(("exercise", *error.path)) from None
    return Question(
        problem=exercise.problem,
        asks=read_asks(exercise.asks, exercise.problem),
        decimals=exercise.decimals,
        stated=None,
        marked_against=MarkedAgainst(kind=exercise.kind, seed=exercise.seed, version=exercise.version),
    )


def _ask_problem(problem: Problem, asks: tuple[str, ...], *, is_answered: bool) -> Question:
    conventions = problem.conventions
    stated = frozenset[str]()
    if isinstance(conventions, StatedConventions):
        stated = conventions.stated
        problem = replace(problem, conventions=conventions.plain())
    ids = read_ids(dict.fromkeys(asks), problem) if is_answered else read_asks(asks, problem)
    return Question(problem=problem, asks=ids, stated=stated, answers_are_asked=is_answered)


def _largest_size(problem: Problem) -> int:
    """Return how many numbers the largest gradient has."""
    widths = problem.network.widths
    return max(problem.n_samples * max(widths), *(n_in * n_out for n_in, n_out in pairwise(widths)))
