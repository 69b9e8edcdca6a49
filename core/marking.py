"""Marking on request: a problem or an exercise, answers in arrays or text, and as much feedback as asked.

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
    Marker,
    Policy,
    Question,
    Submission,
    Tolerance,
    find_exact_matcher,
    read_asks,
    read_ids,
)
from core.problem import Problem

DEFAULT_FEEDBACK = "diagnosis"

MOST_QUESTIONS = 32
"""Questions whose truth is kept for further requests."""

MOST_NUMBERS_KEPT = 4_000_000
"""Numbers that all of those keep together; of a single large question they may be more."""


@dataclass(frozen=True, kw_only=True)
class ExerciseReference:
    """An exercise by its kind, seed and version.

    Parameters
    ----------
    kind : str
    seed : int
    version : int, optional
        By default the latest.
    """

    kind: str
    seed: int
    version: int | None = None


@dataclass(frozen=True, kw_only=True)
class GrantedExercise(ExerciseReference):
    """An exercise that somebody may have marked up to a level of feedback.

    Parameters
    ----------
    feedback : str
        One of `LEVELS`.
    """

    feedback: str


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
        One of `LEVELS`.
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
    def level(self) -> str:
        """How much the reply says: by default diagnosis, or the level of an exercise granted up to a lower one."""
        granted = self.exercise.feedback if isinstance(self.exercise, GrantedExercise) else DEFAULT_FEEDBACK
        return self.feedback or min(DEFAULT_FEEDBACK, granted, key=LEVELS.index)

    @property
    def is_widening(self) -> bool:
        """Whether the tolerance is wider than the default by itself, however an answer is written."""
        kind = KINDS.get(self.exercise.kind) if self.exercise else None
        fewest = FEWEST_DECIMALS if kind is None else kind.decimals
        return self.tolerance is not None and self.tolerance.is_wider(fewest)

    def over(self, defaults: "GradeRequest") -> "GradeRequest":
        """Return the request with what it leaves out taken from defaults.

        Parameters
        ----------
        defaults : GradeRequest

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


class MarkingDesk:
    """Marks requests; those about one question share what is computed for it.

    Parameters
    ----------
    defaults : GradeRequest, optional
        What requests leave out.
    budget : Budget, optional
        What each request may hold and do.
    may_widen : bool
        Whether a request's tolerance counts where it is wider than the default.
    """

    def __init__(
        self, defaults: GradeRequest | None = None, *, budget: Budget | None = None, may_widen: bool = True
    ) -> None:
        self._may_widen = may_widen
        self._defaults = defaults or GradeRequest()
        self._budget = budget or Budget()
        self._kept: OrderedDict[Hashable, Marker] = OrderedDict()

    @np.errstate(all="ignore")
    def mark(self, request: GradeRequest) -> Grade:
        """Mark one request.

        Parameters
        ----------
        request : GradeRequest

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
        whole = request.over(self._defaults)
        if whole.answers is None:
            raise DomainError("there are no answers to mark", path=("answers",))
        marker = self._find_marker(whole)
        grade = marker.grade(
            Submission(
                answers=self._read_answers(whole.answers, marker),
                tolerance=whole.tolerance,
                policy=whole.policy or Policy(),
                follow_through=whole.follow_through is not False,
                may_widen=self._may_widen,
            )
        )
        return grade.at(whole.level)

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
        whole = request.over(self._defaults)
        # that level shows numbers of the answer
        if whole.answers is None or whole.feedback == LEVELS[-1]:
            return None
        marker = self._find_marker(whole)
        read = self._read_answers(whole.answers, marker)
        answers_by_key = {key: read[text] for text, key in read_ids(whole.answers, marker.question.problem).items()}
        return find_exact_matcher(marker.solution, answers_by_key, whole.tolerance, may_widen=self._may_widen)

    def _read_answers(self, answers: Mapping[str, object], marker: Marker) -> dict[str, Answer]:
        most = max(MOST_NUMBERS, min(self._budget.numbers, 2 * _largest_size(marker.question.problem)))
        shapes = marker.find_shapes(answers)
        return {name: read_answer(raw, shape=shapes[name], most_numbers=most) for name, raw in answers.items()}

    def _find_marker(self, request: GradeRequest) -> Marker:
        if request.exercise is not None:
            return self._keep(request.exercise, partial(self._open_exercise, request.exercise))
        problem = request.problem
        if problem is None:
            raise DomainError("found neither problem nor exercise; needed one of them to mark against")
        asks = request.asks if request.asks is not None else tuple(request.answers or ())
        if request.asks is None and not asks:
            raise DomainError("found no answers and no asks; needed at least one quantity", path=("answers",))
        is_answered = request.asks is None
        open_problem = partial(self._open_problem, problem, asks, is_answered)
        is_shared = problem is self._defaults.problem
        return self._keep((asks, is_answered), open_problem) if is_shared else open_problem()

    def _keep(self, key: Hashable, open_marker: Callable[[], Marker]) -> Marker:
        """Return what marks a question, and keep it in place of those that have not been used for longest."""
        kept = self._kept
        if key not in kept:
            kept[key] = open_marker()
        kept.move_to_end(key)
        while len(kept) > MOST_QUESTIONS or (
            len(kept) > 1 and sum(m.solution.held for m in kept.values()) > MOST_NUMBERS_KEPT
        ):
            kept.popitem(last=False)
        return kept[key]

    def _open_exercise(self, reference: ExerciseReference) -> Marker:
        try:
            exercise = draw_exercise(reference.kind, reference.seed, reference.version)
        except (DomainError, UnknownNameError) as error:
            raise error.at(("exercise", *error.path)) from None
        question = Question(
            problem=exercise.problem,
            asks=read_asks(exercise.asks, exercise.problem),
            decimals=exercise.decimals,
            stated=None,
            version=exercise.version,
            kind=exercise.kind,
            seed=exercise.seed,
        )
        return Marker(question, budget=self._budget)

    def _open_problem(self, problem: Problem, asks: tuple[str, ...], is_answered: bool) -> Marker:
        conventions = problem.conventions
        stated = frozenset[str]()
        if isinstance(conventions, StatedConventions):
            stated = conventions.stated
            problem = replace(problem, conventions=conventions.plain())
        ids = read_ids(dict.fromkeys(asks), problem) if is_answered else read_asks(asks, problem)
        question = Question(problem=problem, asks=ids, stated=stated, answers_are_asked=is_answered)
        return Marker(question, budget=self._budget)


def _largest_size(problem: Problem) -> int:
    """Return how many numbers the largest gradient has."""
    widths = problem.network.widths
    return max(problem.n_samples * max(widths), *(n_in * n_out for n_in, n_out in pairwise(widths)))
