"""Marking answers: verdicts, reasons by name, credit for what follows.

Read in this order: `question` says what is asked, `grade` what marking gives, `solution` what is
right, `precision`, `tolerance` and `allowance` how far an answer may lie off, `shapes` which form it needs. Then
`submission_grader` marks a submission, by `diagnosis` (why an answer is wrong), `follow_through` (what follows from
it), `hints` and `credit`. `exact` finds many right submissions at once.
"""

from core.grading.allowance import FEWEST_DECIMALS
from core.grading.credit import Policy
from core.grading.exact import NO_MATCH, ExactMatcher, find_exact_matcher
from core.grading.grade import LEVELS, Diagnosis, Grade, MarkedAgainst, Outcome, Part, Verdict
from core.grading.question import Question, read_asks, read_ids
from core.grading.solution import Solution
from core.grading.submission_grader import Submission, grade_submission
from core.grading.tolerance import Tolerance, UsedTolerance

__all__ = [
    "FEWEST_DECIMALS",
    "LEVELS",
    "NO_MATCH",
    "Diagnosis",
    "ExactMatcher",
    "Grade",
    "MarkedAgainst",
    "Outcome",
    "Part",
    "Policy",
    "Question",
    "Solution",
    "Submission",
    "Tolerance",
    "UsedTolerance",
    "Verdict",
    "find_exact_matcher",
    "grade_submission",
    "read_asks",
    "read_ids",
]
