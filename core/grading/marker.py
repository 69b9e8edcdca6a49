"""Marking: each part against the truth, against other conventions, against what follows, against mistakes."""

from collections.abc import Mapping
from dataclasses import replace

from core.budget import Budget
from core.grading.assessment import Assessment
from core.grading.grade import Grade
from core.grading.scoring import sum_up
from core.grading.solution import Solution
from core.grading.submission import Question, Submission, read_ids
from core.problem import Problem
from core.steps import steps_of, structure_of

WRONG = frozenset({"incorrect", "wrong_shape", "not_finite"})


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

    def grade(self, submission: Submission) -> Grade:
        """Mark a submission.

        Parameters
        ----------
        submission : Submission

        Returns
        -------
        Grade
            With everything that the fullest feedback shows.

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
        self.solution.compute_truths(spelt)
        answers = {key: submission.answers[text] for text, key in ids.items()}
        assessment = Assessment(self.solution, submission, answers)
        marked = {spelt[key]: replace(assessment.mark(key), quantity=spelt[key]) for key in _in_order(spelt, problem)}
        score, verdict = sum_up(marked, list(asks), submission.policy)
        wrong = (name for name, part in marked.items() if part.verdict in WRONG)
        return Grade(
            score=score,
            verdict=verdict,
            conventions=problem.conventions,
            first_wrong=next(wrong, None),
            parts=tuple(marked[name] for name in dict.fromkeys([*asks, *spelt.values()])),
        )


def _in_order(keys: Mapping[str, str], problem: Problem) -> list[str]:
    """Sort quantities so that what one is computed from comes first: forward, Jacobians, the loss and its own."""
    table = [step.output for step in steps_of(structure_of(problem))]

    def place(key: str) -> tuple[int, int]:
        if key not in table:
            return (1, 0)
        return (0 if key[0] in "ZA" else 2, table.index(key))

    return sorted(keys, key=place)
