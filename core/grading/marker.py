"""Marking: each part against the truth, against other conventions, against what follows, against mistakes."""

from collections.abc import Mapping

from core.budget import Budget
from core.grading.assessment import Assessment
from core.grading.grade import Grade, MarkedAgainst
from core.grading.scoring import charge_once, finish_part, sum_up, weigh
from core.grading.solution import Solution
from core.grading.submission import Question, Submission, read_ids
from core.grading.verdicts import UNREAD_VERDICTS, WRONG_VERDICTS
from core.problem import Problem
from core.quantities import to_quantity
from core.steps import steps_of, structure_of
from core.titles import title_of


class Marker:
    """Marks submissions for one question; what they share is computed once.

    Parameters
    ----------
    question : Question
    budget : Budget, optional
        What the truth and the search for mistakes may take.
    """

    def __init__(self, question: Question, *, budget: Budget | None = None) -> None:
        self.question = question
        self.solution = Solution(question, budget or Budget())

    def find_shapes(self, answers: Mapping[str, object]) -> dict[str, tuple[int, ...]]:
        """Return the shapes that answers need.

        Parameters
        ----------
        answers : mapping of str to object
            Under quantity ids.

        Returns
        -------
        dict of str to tuple of int

        Raises
        ------
        UnknownNameError, DomainError
            If an id names nothing of the problem.
        TooLargeError, NonFiniteError
            If a truth is too large, or does not fit float64.
        """
        ids = read_ids(answers, self.question.problem)
        self.solution.compute_truths({key: text for text, key in {**ids, **self.question.asks}.items()})
        return {text: self.solution.truth(key).shape for text, key in ids.items()}

    def grade(self, submission: Submission) -> Grade:
        """Mark a submission.

        Parameters
        ----------
        submission : Submission

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
        problem, asks = self.question.problem, self.question.asks
        ids = read_ids(submission.answers, problem)
        spelt = {key: text for text, key in {**ids, **asks}.items()}
        weights = weigh(list(asks), submission.policy)
        self.solution.compute_truths(spelt)
        answers = {key: submission.answers[text] for text, key in ids.items()}
        assessment = Assessment(self.solution, submission, answers)
        marked = [
            finish_part(
                assessment.mark(key),
                quantity=spelt[key],
                title=title_of(to_quantity(key), problem),
                weight=weights.get(spelt[key], 0.0),
            )
            for key in _in_order(spelt, problem)
        ]
        parts = charge_once(marked, submission.policy) if submission.policy.once else marked
        score, verdict = sum_up(parts)
        places = {name: place for place, name in enumerate(dict.fromkeys([*asks, *spelt.values()]))}
        return Grade(
            score=score,
            verdict=verdict,
            gradable=any(part.verdict not in UNREAD_VERDICTS for part in parts),
            marked_against=self._marked_against(),
            conventions=problem.conventions,
            first_wrong=next((part.quantity for part in parts if part.verdict in WRONG_VERDICTS), None),
            parts=tuple(sorted(parts, key=lambda part: places[part.quantity])),
        )

    def _marked_against(self) -> MarkedAgainst:
        question = self.question
        return MarkedAgainst(kind=question.kind, seed=question.seed, version=question.version)


def _in_order(keys: Mapping[str, str], problem: Problem) -> list[str]:
    """Sort quantities so that what one is computed from comes first: forward, Jacobians, the loss and its own."""
    table = [step.output for step in steps_of(structure_of(problem))]

    def place(key: str) -> tuple[int, int]:
        if key not in table:
            return (1, 0)
        return (0 if key[0] in "ZA" else 2, table.index(key))

    return sorted(keys, key=place)
