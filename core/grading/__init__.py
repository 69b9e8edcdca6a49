"""Marking answers: verdicts, reasons by name, credit for what follows."""

from core.grading.allowance import FEWEST_DECIMALS
from core.grading.grade import Diagnosis, Grade, MarkedAgainst, Part, UsedTolerance
from core.grading.marker import Marker
from core.grading.outright import UNSURE, Outright, find_outright
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
    "UNSURE",
    "Diagnosis",
    "Grade",
    "MarkedAgainst",
    "Marker",
    "Outcome",
    "Outright",
    "Part",
    "Policy",
    "Question",
    "Submission",
    "Tolerance",
    "UsedTolerance",
    "Verdict",
    "find_outright",
    "read_asks",
    "read_ids",
]
