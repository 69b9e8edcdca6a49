"""Marking answers: verdicts, reasons by name, credit for what follows."""

from core.grading.allowance import FEWEST_DECIMALS
from core.grading.exact import NO_MATCH, ExactMatcher, find_exact_matcher
from core.grading.grade import Diagnosis, Grade, MarkedAgainst, Part, UsedTolerance
from core.grading.marker import Marker
from core.grading.submission import (
    LEVELS,
    Policy,
    Question,
    Submission,
    Tolerance,
    read_asks,
    read_ids,
)
from core.grading.verdicts import Outcome, Verdict

__all__ = [
    "FEWEST_DECIMALS",
    "LEVELS",
    "NO_MATCH",
    "Diagnosis",
    "ExactMatcher",
    "Grade",
    "MarkedAgainst",
    "Marker",
    "Outcome",
    "Part",
    "Policy",
    "Question",
    "Submission",
    "Tolerance",
    "UsedTolerance",
    "Verdict",
    "find_exact_matcher",
    "read_asks",
    "read_ids",
]
