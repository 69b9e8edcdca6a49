"""Marking answers: verdicts, reasons by name, credit for what follows."""

from core.grading.grade import Diagnosis, Grade, Outcome, Part, UsedTolerance, Verdict
from core.grading.marker import Marker
from core.grading.submission import LEVELS, Policy, Question, Submission, Tolerance, read_asks, read_ids

__all__ = [
    "LEVELS",
    "Diagnosis",
    "Grade",
    "Marker",
    "Outcome",
    "Part",
    "Policy",
    "Question",
    "Submission",
    "Tolerance",
    "UsedTolerance",
    "Verdict",
    "read_asks",
    "read_ids",
]
