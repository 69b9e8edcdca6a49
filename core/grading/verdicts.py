"""The verdicts, and the sentences that tell them to a student."""

from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

from core.answers import ReadingFault
from core.conventions import describe_choice
from core.errors import counted

Verdict: TypeAlias = Literal[
    "correct",
    "convention_mismatch",
    "follows_through",
    "incorrect",
    "wrong_shape",
    "not_finite",
    "unreadable",
    "missing",
]
"""What is said of a part."""

Outcome: TypeAlias = Literal["correct", "partly_correct", "incorrect"]
"""What is said of the whole."""

Switches = Mapping[str, str | float]

VERDICT_SENTENCES: dict[Verdict, str] = {
    "correct": "Your answer is right.",
    "convention_mismatch": "Your answer is right under another convention than this problem's.",
    "follows_through": "Your answer follows correctly from your own earlier values; the mistake lies there.",
    "incorrect": "Your answer is not right.",
    "wrong_shape": "Your answer does not have the shape needed.",
    "not_finite": "Your answer contains NaN or infinity.",
    "unreadable": "Your answer cannot be read.",
    "missing": "You did not hand in this quantity.",
}

WRONG_VERDICTS = frozenset[Verdict]({"incorrect", "wrong_shape", "not_finite"})
FULL_SCORE_VERDICTS = frozenset[Verdict]({"correct", "follows_through", "convention_mismatch"})
"""Verdicts that a policy may give the full score."""

UNREAD_VERDICTS = frozenset[Verdict]({"unreadable", "missing"})

MUST_BE_FINITE = "Some of your numbers are NaN or infinite; every entry must be a finite number."


def describe_part(
    verdict: Verdict,
    *,
    reading: ReadingFault | None = None,
    reasons: Sequence[str] = (),
    hints: Sequence[str] = (),
    convention: Switches | None = None,
    right: int | None = None,
    of: int | None = None,
) -> str:
    """Say of a part the most telling thing that is shown of it.

    Parameters
    ----------
    reading : ReadingFault, optional
    reasons : sequence of str
        The messages of its diagnoses.
    convention : mapping, optional
    right, of : int, optional
        How many entries are right, of how many.
    """
    if reading is not None:
        found = reading.message.rstrip(".")
        return f"Your answer cannot be read at row {reading.row}, column {reading.column}: {found}."
    if reasons:
        return reasons[0]
    if verdict == "convention_mismatch" and convention:
        choices = " and ".join(describe_choice(name, value) for name, value in convention.items())
        return f"Your answer is right under another convention: it takes {choices}."
    if verdict == "incorrect" and of not in {right, 1}:
        return f"You have {right} of {of} numbers right."
    return hints[0] if hints else VERDICT_SENTENCES[verdict]


def describe_whole(outcome: Outcome, verdicts: Sequence[Verdict], first_wrong: str | None) -> str:
    """Say of a submission how much of it is right, and where it first goes wrong.

    Parameters
    ----------
    verdicts : sequence of Verdict
        Of the parts that count.
    first_wrong : str or None
        The title of the quantity where it first goes wrong, if that is shown.
    """
    if outcome == "correct":
        return "Everything that counts is right."
    if UNREAD_VERDICTS.issuperset(verdicts):
        return "You handed in nothing that counts and can be read."
    if {"convention_mismatch"} <= {*verdicts} <= {"convention_mismatch", "correct"}:
        return "Your answers are right, but not all under this problem's conventions."
    right = sum(verdict in FULL_SCORE_VERDICTS for verdict in verdicts)
    place = f"; look first at the {first_wrong}" if first_wrong else ""
    return f"You have {right} of {counted(len(verdicts), 'part')} right{place}."
