"""Marking a submission: each part against the truth, other conventions, what follows, and mistakes.

The parts are marked in the order in which one is computed from another, because what a student's own values
lead to earns credit as well. All that is known of one submission on the way stands in `SubmissionGrader` and its
`OwnWork`; all that holds for every submission stands in `Solution`.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from core.answers import Answer, ReadingFault
from core.arrays import Array, Flags
from core.grading.allowance import HALF_UNIT, Allowance, allow
from core.grading.credit import Policy, charge_once, credit_entries, credit_explained, sum_up, weigh
from core.grading.diagnosis.choice import Explanation, choose
from core.grading.diagnosis.effort import Effort
from core.grading.diagnosis.hypothesis import Hypothesis, PartToExplain, same_numbers
from core.grading.diagnosis.search import Search
from core.grading.diagnosis.suspects import Suspects
from core.grading.follow_through import OwnWork
from core.grading.grade import (
    FULL_SCORE_VERDICTS,
    MUST_BE_FINITE,
    UNREAD_VERDICTS,
    WRONG_VERDICTS,
    Grade,
    Part,
    Switches,
    Verdict,
)
from core.grading.hints import NOT_ROUNDED, find_hints
from core.grading.question import read_ids
from core.grading.shapes import describe_misfit
from core.grading.solution import Solution
from core.grading.tolerance import Tolerance
from core.problem import Problem
from core.quantities import is_layer_value, title_of, to_quantity
from core.scenarios import Scenarios
from core.steps import steps_of, structure_of


@dataclass(frozen=True, kw_only=True, eq=False)
class Submission:
    """What is handed in for a question.

    Parameters
    ----------
    answers : mapping of str to Answer
        Under quantity ids.
    tolerance : Tolerance, optional
        By default it follows from how the answer is written.
    follow_through : bool
        Whether parts are also marked against what follows from the student's own upstream parts.
    may_widen : bool
        Whether the tolerance counts where it is wider than the default; otherwise the narrower of both does.
    """

    answers: Mapping[str, Answer]
    tolerance: Tolerance | None = None
    policy: Policy = field(default_factory=Policy)
    follow_through: bool = True
    may_widen: bool = True


def grade_submission(solution: Solution, submission: Submission) -> Grade:
    """Grade a submission.

    Parameters
    ----------
    solution : Solution
        Of the question. What is computed for this submission is kept in it for others.

    Returns
    -------
    Grade
        With everything that the fullest feedback shows. `Grade.at` takes a level of it, and writes the messages.

    Raises
    ------
    UnknownNameError, DomainError
        If an id names nothing of the problem, or a weight nothing that is asked.
    TooLargeError, NonFiniteError
        If the truth is too large, or does not fit float64.
    """
    question, policy = solution.question, submission.policy
    ids = read_ids(submission.answers, question.problem)
    spelt = {key: text for text, key in {**ids, **question.asks}.items()}
    weights = weigh(list(question.asks), policy)
    solution.compute_truths(spelt)
    answers = {key: submission.answers[text] for text, key in ids.items()}
    grader = SubmissionGrader(solution, submission, answers, spelt, weights)
    parts: Sequence[Part] = [grader.grade(key) for key in _in_order(spelt, question.problem)]
    if policy.once:
        parts = charge_once(parts, policy)
    score, verdict = sum_up(parts)
    places = {text: place for place, text in enumerate(dict.fromkeys([*question.asks, *spelt.values()]))}
    return Grade(
        score=score,
        verdict=verdict,
        gradable=any(part.verdict not in UNREAD_VERDICTS for part in parts),
        marked_against=question.marked_against,
        conventions=question.problem.conventions,
        first_wrong=next((part.quantity for part in parts if part.verdict in WRONG_VERDICTS), None),
        parts=tuple(sorted(parts, key=lambda part: places[part.quantity])),
    )


def _in_order(keys: Collection[str], problem: Problem) -> list[str]:
    """Sort quantities so that what one is computed from comes first: forward, Jacobians, the loss and its own."""
    table = {step.output: place for place, step in enumerate(steps_of(structure_of(problem)))}

    def place(key: str) -> tuple[int, int]:
        if key not in table:
            return (1, 0)
        return (0 if is_layer_value(key) else 2, table[key])

    return sorted(keys, key=place)


class SubmissionGrader:
    """Grades the parts of one submission.

    Parameters
    ----------
    solution : Solution
        With the truths computed of all that is asked and answered.
    answers : mapping of str to Answer
        The submission's, under numbered keys.
    spelt : mapping of str to str
        The ids of all that is asked and answered, under numbered keys.
    weights : mapping of str to float
        Of what is asked, under its ids.

    Attributes
    ----------
    parts : dict of str to PartToExplain
        The answers that are finite numbers.
    own_work : OwnWork
        The student's own values, as far as they have been graded.
    effort : Effort
        What is left for searches.
    """

    def __init__(
        self,
        solution: Solution,
        submission: Submission,
        answers: Mapping[str, Answer],
        spelt: Mapping[str, str],
        weights: Mapping[str, float],
    ) -> None:
        self.solution = solution
        self.submission = submission
        self.answers = answers
        self.spelt = spelt
        self.weights = weights
        self.effort = Effort(solution.question.problem, solution.budget)
        self.own_work = OwnWork(solution, self.effort, may_be_wrong=submission.follow_through)
        self.parts = {
            key: self._open(key, answer.value)
            for key, answer in answers.items()
            if answer.value is not None and np.isfinite(answer.value).all()
        }

    def grade(self, key: str) -> Part:
        """Grade a quantity; those upstream of it have been graded."""
        self.effort.is_cut = False
        graded = self._grade(key)
        is_cut = graded.verdict in WRONG_VERDICTS and (self.effort.is_cut or self._suspects.is_cut)
        return replace(graded, cut=True) if is_cut else graded

    def _grade(self, key: str) -> Part:
        answer = self.answers.get(key)
        if answer is None:
            return self._say(key, "missing")
        if answer.value is None:
            return self._say(key, "unreadable", reading=answer.reading)
        part = self.parts.get(key)
        if part is None:
            part = self._open(key, answer.value)
            explanation = self._choose(part, self._search(part).not_finite())
            graded = self._say(key, "not_finite", allowance=part.allowance, hints=(MUST_BE_FINITE,))
            return self._explain(graded, explanation)
        if part.own is None:
            misfit = describe_misfit(part.answer.shape, part.truth.shape)
            graded = self._say(key, "wrong_shape", allowance=part.allowance, hints=(misfit,))
            return self._explain(graded, self._find_mistake(part))
        graded = self._grade_numbers(part, part.own)
        self.own_work.add(part, part.own, graded, is_paid=self._is_paid(key))
        return graded

    def _say(
        self,
        key: str,
        verdict: Verdict,
        *,
        score: float = 0.0,
        allowance: Allowance | None = None,
        hints: tuple[str, ...] = (),
        reading: ReadingFault | None = None,
        convention: Switches | None = None,
        entries: Flags | None = None,
        largest_error: float | None = None,
    ) -> Part:
        """Say what is found of a quantity; without an allowance, there is no array to look at."""
        text, problem = self.spelt[key], self.solution.question.problem
        return Part(
            quantity=text,
            title=title_of(to_quantity(key), problem),
            verdict=verdict,
            score=score,
            weight=self.weights.get(text, 0.0),
            tolerance=None if allowance is None else allowance.used,
            reading=reading,
            hints=hints,
            diagnoses=None if allowance is None else (),
            convention=convention,
            entries=entries,
            right=None if entries is None else int(np.count_nonzero(entries)),
            of=None if entries is None else entries.size,
            expected=self.solution.truth(key),
            largest_error=largest_error,
        )

    def _say_of_numbers(
        self,
        part: PartToExplain,
        own: Array,
        verdict: Verdict,
        score: float,
        *,
        hints: tuple[str, ...] = (),
        convention: Switches | None = None,
    ) -> Part:
        """Say what is found of an answer that has the quantity's shape; with the full score all entries are right."""
        differences = np.abs(own - part.truth)
        is_full = score == 1.0 and verdict in FULL_SCORE_VERDICTS
        limits = np.inf if is_full else part.allowance.limits
        return self._say(
            part.key,
            verdict,
            score=score,
            allowance=part.allowance,
            hints=hints,
            convention=convention,
            entries=np.asarray(differences <= limits).reshape(part.answer.shape),
            largest_error=float(differences.max()),
        )

    def _open(self, key: str, value: Array) -> PartToExplain:
        submission, precision = self.submission, self.solution.precision(key)
        asked = self.solution.question.decimals
        allowance = allow(precision, value, submission.tolerance, asked, may_widen=submission.may_widen)
        return PartToExplain(to_quantity(key), self.solution.truth(key), value, allowance)

    def _grade_numbers(self, part: PartToExplain, own: Array) -> Part:
        """Grade an answer that has the quantity's shape."""
        policy = self.submission.policy
        if part.is_right:
            rival = self._find_rival(part, own)
            if rival is None or self.own_work.leads_to(part):
                return self._say_of_numbers(part, own, "correct", 1.0)
            return self._grade_wrong(part, own, rival)
        follows = self.own_work.leads_to(part)
        if follows and self.own_work.is_right_before(part.key):
            # from right numbers, rounded on the way that the student went
            return self._say_of_numbers(part, own, "correct", 1.0)
        search = self._search(part)
        other = self._choose(part, search.convention(self.solution.free))
        if other is not None:
            score = max(policy.convention, policy.follow_through if follows else 0.0)
            return self._say_of_numbers(part, own, "convention_mismatch", score, convention=other.convention)
        if follows:
            return self._say_of_numbers(part, own, "follows_through", policy.follow_through)
        return self._grade_wrong(part, own, self._find_mistake(part, search))

    def _find_rival(self, part: PartToExplain, own: Array) -> Explanation | None:
        """Find the mistake that is nearer to an answer within the limits than the truth is."""
        if part.allowance.is_rounded(own, part.truth):
            # correctly rounded: no mistake could be told from it
            return None
        # without mistakes in one layer only: most right answers come this way
        suspects = self.solution.suspects
        rivals = self._search(part, suspects).rivals()
        largest = part.allowance.largest
        nearest = [rival for rival in rivals if same_numbers(rival.prediction, rivals[0].prediction, largest)]
        return self._choose(part, nearest, suspects.scenarios)

    def _find_mistake(self, part: PartToExplain, search: Search | None = None) -> Explanation | None:
        """Find the mistake in a wrong answer: in what is computed from the student's own values, then in all."""
        if self.own_work.is_wrong_before(part.key):
            scenarios = self.own_work.scenarios
            near = self._search(part, scenarios=scenarios).mistakes(most=1)
            explanation = self._choose(part, near, scenarios)
            if explanation is not None:
                return explanation
        return self._choose(part, (search or self._search(part)).mistakes())

    def _grade_wrong(self, part: PartToExplain, own: Array, explanation: Explanation | None) -> Part:
        allowance, policy = part.allowance, self.submission.policy
        hints = find_hints(self.solution.question.problem, part.quantity, own, allowance.decimals, allowance.used)
        if allowance.is_cut_off(own, part.truth):
            hints = (NOT_ROUNDED, *hints)
        if explanation is None or _is_rounded(part, own):
            right = np.abs(own - part.truth) <= allowance.limits
            score = credit_entries(right, part.truth, allowance.limits, policy)
            return self._say_of_numbers(part, own, "incorrect", score, hints=hints)
        if not explanation.mistakes:
            convention = explanation.convention
            return self._say_of_numbers(part, own, "convention_mismatch", policy.convention, convention=convention)
        graded = self._say_of_numbers(part, own, "incorrect", 0.0, hints=hints)
        return self._explain(graded, explanation)

    def _explain(self, graded: Part, explanation: Explanation | None) -> Part:
        """Say why a part is wrong, where that is known, and give what it earns."""
        if explanation is None:
            return graded
        return replace(
            graded,
            score=credit_explained(explanation, self.submission.policy),
            diagnoses=(explanation.to_diagnosis(),),
            convention=explanation.convention or None,
        )

    def _search(
        self, part: PartToExplain, suspects: Suspects | None = None, *, scenarios: Scenarios | None = None
    ) -> Search:
        suspects = suspects or self._suspects
        right = [other for other in self.parts.values() if other.is_right]
        return Search(suspects, scenarios or suspects.scenarios, part, self.effort, right)

    def _choose(
        self, part: PartToExplain, hypotheses: Sequence[Hypothesis], scenarios: Scenarios | None = None
    ) -> Explanation | None:
        others = [other for other in self.parts.values() if other is not part]
        return choose(part, hypotheses, scenarios or self._suspects.scenarios, others, self.solution.free)

    @property
    def _suspects(self) -> Suspects:
        return self.solution.suspects_by_layer

    def _is_paid(self, key: str) -> bool:
        # what costs nothing, for nobody asked for it, must not earn anything either
        asked = (text for text, other in self.solution.question.asks.items() if other == key)
        return any(self.submission.policy.weights.get(text, 1.0) > 0 for text in asked)


def _is_rounded(part: PartToExplain, own: Array) -> bool:
    # the right numbers, with too few decimals to tell them from others; whole numbers may well be a mistake's own
    allowance = part.allowance
    if not (allowance.is_coarse or allowance.decimals):
        return False
    decimals = allowance.decimals or 0
    return bool((np.abs(own - np.round(part.truth, decimals)) <= HALF_UNIT * 1e-3 * 10.0**-decimals).all())
