"""What marking gives: a grade and its parts, as much of it as a feedback level shows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

from core import __version__
from core.answers import ReadingFault
from core.arrays import Array, Flags
from core.conventions import Conventions, describe_choice
from core.errors import counted
from core.grading.tolerance import UsedTolerance

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

LEVELS = ("verdict", "hint", "diagnosis", "location", "full")
"""Feedback levels, each adding to the one before."""


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """Why an answer is wrong.

    Parameters
    ----------
    mistakes : tuple of str
        One id, or several for a composite.
    equivalent : tuple of str
        Ids that give the same numbers here; those of a composite are joined by ``+``.
    message : str
        Feedback for the student.
    """

    mistakes: tuple[str, ...]
    equivalent: tuple[str, ...]
    message: str

    @property
    def causes(self) -> tuple[tuple[str, ...], ...]:
        """The mistakes that give the answer's numbers: those named, then each of the equivalent ones."""
        return (self.mistakes, *(tuple(names.split("+")) for names in self.equivalent))


@dataclass(frozen=True, kw_only=True, eq=False)
class Part:
    """The mark of one quantity; what a feedback level does not show is None.

    Parameters
    ----------
    quantity : str
        Its id as asked, or as handed in.
    title : str
        The quantity in words.
    verdict : str
        A `Verdict`.
    score : float
        In [0, 1].
    weight : float
        How much the score counts; 0 for what was not asked.
    message : str
        For the student, made of what is shown; `at` writes it.
    reading : ReadingFault or None
        Where and why an answer cannot be read.
    cut : bool or None
        True where the search for mistakes was shortened for size.
    convention : mapping or None
        The switches under which the answer is right.
    entries : ndarray of bool, or None
        Which entries are right, in the answer's shape; all where the verdict gives the full score.
    right, of : int or None
        How many entries are right, of how many.
    expected : ndarray or None
        The truth.
    """

    quantity: str
    title: str = ""
    verdict: Verdict
    score: float
    weight: float = 1.0
    message: str = ""
    tolerance: UsedTolerance | None = None
    reading: ReadingFault | None = None
    hints: tuple[str, ...] | None = None
    diagnoses: tuple[Diagnosis, ...] | None = None
    cut: bool | None = None
    convention: Switches | None = None
    entries: Flags | None = None
    right: int | None = None
    of: int | None = None
    expected: Array | None = None
    largest_error: float | None = None

    def at(self, level: str) -> "Part":
        """Return what a feedback level shows of the part."""
        rank = LEVELS.index(level)
        is_hinted, is_explained, is_located, is_full = (rank >= LEVELS.index(name) for name in LEVELS[1:])
        hints = self.hints if is_hinted else None
        diagnoses, convention = (self.diagnoses, self.convention) if is_explained else (None, None)
        entries, right, of = (self.entries, self.right, self.of) if is_located else (None, None, None)
        return replace(
            self,
            message=describe_part(
                self.verdict,
                reading=self.reading,
                hints=hints or (),
                reasons=[diagnosis.message for diagnosis in diagnoses or ()],
                convention=convention,
                right=right,
                of=of,
            ),
            tolerance=self.tolerance if is_full else self.tolerance and replace(self.tolerance, allowed=None),
            hints=hints,
            diagnoses=diagnoses,
            cut=self.cut if is_explained else None,
            convention=convention,
            entries=entries,
            right=right,
            of=of,
            expected=self.expected if is_full else None,
            largest_error=self.largest_error if is_full else None,
        )


@dataclass(frozen=True, kw_only=True)
class MarkedAgainst:
    """What a submission was marked against, and by what.

    Parameters
    ----------
    kind : str or None
        The exercise's; None for a problem of the caller's own, as `seed` and `version` are.
    release : str
        The version of Gradmark.
    """

    kind: str | None = None
    seed: int | None = None
    version: int | None = None
    release: str = __version__


@dataclass(frozen=True, kw_only=True, eq=False)
class Grade:
    """The mark of a submission.

    Parameters
    ----------
    score : float
        In [0, 1]: the parts' scores by their weights.
    verdict : str
        An `Outcome`.
    message : str
        For the student, made of what is shown; `at` writes it.
    gradable : bool
        Whether any answer could be read.
    first_wrong : str or None
        The quantity where it first goes wrong: wrong itself, although what it is computed from, as handed
        in, is right.
    parts : tuple of Part
        One for each quantity asked or handed in.
    """

    score: float
    verdict: Outcome
    message: str = ""
    gradable: bool = True
    marked_against: MarkedAgainst = field(default_factory=MarkedAgainst)
    conventions: Conventions
    first_wrong: str | None = None
    parts: tuple[Part, ...]

    def at(self, level: str) -> "Grade":
        """Return what a feedback level shows of the grade.

        Parameters
        ----------
        level : str
            One of `LEVELS`.
        """
        shows_place = LEVELS.index(level) >= LEVELS.index("diagnosis")
        first_wrong = self.first_wrong if shows_place else None
        parts = tuple(part.at(level) for part in self.parts)
        message = _describe(self.verdict, parts, first_wrong)
        return replace(self, message=message, first_wrong=first_wrong, parts=parts)


def _describe(outcome: Outcome, parts: Sequence[Part], first_wrong: str | None) -> str:
    if len(parts) == 1:
        return parts[0].message
    place = next((part.title for part in parts if part.quantity == first_wrong), None)
    return describe_whole(outcome, [part.verdict for part in parts if part.weight > 0], place)


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
