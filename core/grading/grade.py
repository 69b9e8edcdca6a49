"""What marking gives: a grade and its parts, as much of it as a feedback level shows."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from core.answers import Reading
from core.arrays import Array, Flags
from core.conventions import Conventions
from core.grading.submission import LEVELS

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


@dataclass(frozen=True, kw_only=True)
class UsedTolerance:
    """The tolerance that a part was marked with.

    Parameters
    ----------
    decimals : int or None
        The decimals that the answer was read with.
    relative, absolute : float or None
        The tolerance for answers by machine.
    allowed : float or None
        How far an entry may lie off; it depends on the truth, so only the level full shows it.
    """

    decimals: int | None = None
    relative: float | None = None
    absolute: float | None = None
    allowed: float | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Part:
    """The mark of one quantity; what a feedback level does not show is None.

    Parameters
    ----------
    quantity : str
        Its id as asked, or as handed in.
    verdict : str
        A `Verdict`.
    score : float
        In [0, 1].
    tolerance : UsedTolerance or None
    reading : Reading or None
        Where and why an answer cannot be read.
    hints : tuple of str or None
    diagnoses : tuple of Diagnosis or None
    convention : mapping or None
        The switches under which the answer is right.
    entries : ndarray of bool, or None
        Which entries are right, in the answer's shape.
    expected : ndarray or None
        The truth.
    largest_error : float or None
    """

    quantity: str
    verdict: Verdict
    score: float
    tolerance: UsedTolerance | None = None
    reading: Reading | None = None
    hints: tuple[str, ...] | None = None
    diagnoses: tuple[Diagnosis, ...] | None = None
    convention: Switches | None = None
    entries: Flags | None = None
    expected: Array | None = None
    largest_error: float | None = None

    def at(self, level: str) -> "Part":
        """Return what a feedback level shows of the part."""
        rank = LEVELS.index(level)
        shown = self.tolerance
        if rank < LEVELS.index("full") and shown is not None:
            shown = replace(shown, allowed=None)
        return replace(
            self,
            tolerance=shown,
            hints=self.hints if rank >= LEVELS.index("hint") else None,
            diagnoses=self.diagnoses if rank >= LEVELS.index("diagnosis") else None,
            convention=self.convention if rank >= LEVELS.index("diagnosis") else None,
            entries=self.entries if rank >= LEVELS.index("location") else None,
            expected=self.expected if rank >= LEVELS.index("full") else None,
            largest_error=self.largest_error if rank >= LEVELS.index("full") else None,
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Grade:
    """The mark of a submission.

    Parameters
    ----------
    score : float
        In [0, 1]: the parts' scores by their weights.
    verdict : str
        An `Outcome`.
    conventions : Conventions
    first_wrong : str or None
        The quantity where it first goes wrong: wrong itself, although what it is computed from, as handed
        in, is right.
    parts : tuple of Part
        One for each quantity asked or handed in.
    """

    score: float
    verdict: Outcome
    conventions: Conventions
    first_wrong: str | None = None
    parts: tuple[Part, ...]

    def at(self, level: str) -> "Grade":
        """Return what a feedback level shows of the grade.

        Parameters
        ----------
        level : str
            One of `LEVELS`.

        Returns
        -------
        Grade
        """
        shows_place = LEVELS.index(level) >= LEVELS.index("diagnosis")
        return replace(
            self,
            first_wrong=self.first_wrong if shows_place else None,
            parts=tuple(part.at(level) for part in self.parts),
        )
