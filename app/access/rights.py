"""Marking within what a caller may: tokens are opened, and what goes too far is refused."""

from dataclasses import dataclass, replace

from app.access.admission import Caller
from app.access.refusals import forbidden, unauthorized
from app.schemas.grade_bodies import GradeLineBody
from core.budget import Budget
from core.grade_requests import DEFAULT_FEEDBACK, ExerciseReference, Grader, GradeRequest
from core.grading import LEVELS, ExactMatcher, Grade

HIGHEST_WITHOUT_AUTHOR = "location"  # the highest level that shows no number of the solution

LOWEST_WITH_POLICY = "diagnosis"
"""The lowest level that names mistakes: credits of its own for each would name them in the score."""


@dataclass(frozen=True, kw_only=True)
class GrantedExercise(ExerciseReference):
    """An exercise that a token stands for, with the highest level of feedback to its holders."""

    feedback: str


class AuthorisedGrader:
    """Grades what a caller may have graded, as far as they may see it; raises `BodyError` for further defaults."""

    def __init__(self, caller: Caller, defaults: GradeLineBody | None = None, *, budget: Budget) -> None:
        self._caller = caller
        whole = None if defaults is None else self._redeem(defaults)
        self._grader = Grader(whole, budget=budget, may_widen=caller.may("author"), admit=self._admit)
        if whole is not None:
            self._require(whole)

    def grade(self, submission: GradeLineBody) -> Grade:
        """Grade a submission; raise `BodyError`: 401 for a token that is none, 403 for what the caller may not."""
        return self._grader.grade(self._redeem(submission))

    def find_exact_matcher(self, submission: GradeLineBody) -> ExactMatcher | None:
        """Return what finds submissions that are right to the last digit, as `Grader.find_exact_matcher` does."""
        return self._grader.find_exact_matcher(self._redeem(submission))

    def _redeem(self, submission: GradeLineBody) -> GradeRequest:
        """Put the exercise in the place of a token, which stands alone."""
        if submission.token is None:
            return submission
        exercise = _open(self._caller, submission.token)
        # the line names nothing else to be marked against, so it takes the exercise as it takes what it leaves out
        return submission.over(GradeRequest(exercise=exercise))

    def _admit(self, request: GradeRequest) -> GradeRequest:
        self._require(request)
        if request.feedback is None and isinstance(request.exercise, GrantedExercise):
            return replace(request, feedback=min(DEFAULT_FEEDBACK, request.exercise.feedback, key=LEVELS.index))
        return request

    def _require(self, request: GradeRequest) -> None:
        if self._caller.may("author"):
            return
        granted = request.exercise if isinstance(request.exercise, GrantedExercise) else None
        if not self._caller.may("grade"):
            if granted is None:
                raise unauthorized()
            if request.tolerance is not None or request.policy is not None:
                raise forbidden()
        highest = granted.feedback if granted else HIGHEST_WITHOUT_AUTHOR
        if request.feedback is not None and LEVELS.index(request.feedback) > LEVELS.index(highest):
            raise forbidden()
        if request.policy is not None and LEVELS.index(highest) < LEVELS.index(LOWEST_WITH_POLICY):
            raise forbidden()
        if request.is_widening:
            raise forbidden()


def open_solution(caller: Caller, token: str, *, has_entry: bool) -> tuple[GrantedExercise, bool]:
    """Open a token whose exercise is to be worked out; say whether its level shows numbers, as entries need."""
    exercise = _open(caller, token)
    shows_numbers = exercise.feedback == LEVELS[-1]
    if has_entry and not shows_numbers:
        raise forbidden()
    return exercise, shows_numbers


def _open(caller: Caller, token: str) -> GrantedExercise:
    grant = caller.tokens.open(token)
    return GrantedExercise(kind=grant.kind, seed=grant.seed, version=grant.version, feedback=grant.feedback)
