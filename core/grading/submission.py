"""What is handed in for marking, and by which policy it is marked."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from core.answers import Answer
from core.errors import DomainError, Path
from core.grading.precision import MACHINE_RELATIVE
from core.mistakes import MISTAKES
from core.problem import Problem
from core.quantities import parse_quantities, parse_quantity, public_name

MOST_DECIMALS = 15
LARGEST_ABSOLUTE = 1e6

LEVELS = ("verdict", "hint", "diagnosis", "location", "full")
"""Feedback levels, each adding to the one before."""


@dataclass(frozen=True, kw_only=True)
class Tolerance:
    """How far an answer may lie off: either decimals, or a relative and an absolute part.

    Parameters
    ----------
    decimals : int, optional
        An answer worked out by hand, every number rounded to so many decimals, is right.
    relative : float, optional
        Part of the truth's largest entry.
    absolute : float, optional

    Raises
    ------
    DomainError
        If nothing or both kinds are given, or a number is out of range.
    """

    decimals: int | None = None
    relative: float | None = None
    absolute: float | None = None

    def __post_init__(self) -> None:
        if (self.decimals is None) == (self.relative is None and self.absolute is None):
            raise DomainError(
                "a tolerance is either decimals, or relative and absolute; decimals are for answers by hand, "
                "the others for answers by machine"
            )
        if self.decimals is not None:
            if not 0 <= self.decimals <= MOST_DECIMALS:
                raise DomainError(
                    f"found {self.decimals} decimals; needed 0 to {MOST_DECIMALS}, the most that float64 holds",
                    path=("decimals",),
                )
            return
        _require_part("relative", self.relative, 1.0)
        _require_part("absolute", self.absolute, LARGEST_ABSOLUTE)
        if not (self.relative or self.absolute):
            raise DomainError("found a tolerance of 0; no computed number is exactly another")

    def is_wider(self, decimals: int) -> bool:
        """Tell whether it is wider than what holds by default, whatever the answer is.

        Parameters
        ----------
        decimals : int
            The decimals that are asked, or the fewest that an answer is read with.

        Returns
        -------
        bool
        """
        return (self.decimals is not None and self.decimals < decimals) or (self.relative or 0.0) > MACHINE_RELATIVE


def _require_part(name: str, value: float | None, largest: float) -> None:
    if value is not None and not 0.0 <= value <= largest:
        raise DomainError(
            f"the {name} tolerance is {value:g}; needed 0 to {largest:g}: with more, any answer would be right",
            path=(name,),
        )


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What verdicts are worth.

    Parameters
    ----------
    weights : mapping of str to float
        Of quantities asked, under their ids; 1 where nothing is said.
    mistakes : mapping of str to float
        Credit for an answer whose only fault is a mistake, by its id; of mistakes that cannot be told
        apart here, the best counts. Credits of several in one answer are multiplied. 0 where nothing is said.
    convention : float
        Credit for an answer that is right under a convention that was not stated.
    entries : float
        Credit for right entries of an answer without a diagnosis, above what chance would give.
    follow_through : float
        Credit for an answer that follows correctly from the student's own earlier values.
    once : bool
        Whether a mistake, or another convention, that explains several parts costs only the first that counts,
        in the order in which one is computed from another.

    Raises
    ------
    UnknownNameError
        If there is no such mistake.
    DomainError
        If a weight is negative, or a credit not in [0, 1].
    """

    weights: Mapping[str, float] = field(default_factory=dict)
    mistakes: Mapping[str, float] = field(default_factory=dict)
    convention: float = 0.5
    entries: float = 0.5
    follow_through: float = 1.0
    once: bool = False

    def __post_init__(self) -> None:
        for name, weight in self.weights.items():
            if not 0.0 <= weight < math.inf:
                raise DomainError(f"the weight is {weight:g}; needed 0 or more", path=("weights", name))
        for name in self.mistakes:
            MISTAKES.require(name, path=("mistakes", name))
        paid: dict[Path, float] = {("mistakes", name): credit for name, credit in self.mistakes.items()}
        paid |= {(name,): getattr(self, name) for name in ("convention", "entries", "follow_through")}
        for path, credit in paid.items():
            if not 0.0 <= credit <= 1.0:
                raise DomainError(f"the credit is {credit:g}; needed 0 to 1, a share of the part's weight", path=path)


@dataclass(frozen=True, kw_only=True, eq=False)
class Question:
    """A problem and what is asked of it.

    Parameters
    ----------
    problem : Problem
    asks : mapping of str to str
        The quantities asked: ids as spelt, and numbered keys.
    decimals : int or None
        Those that answers are asked for with; None where nothing is said.
    stated : frozenset of str or None
        The conventions that were stated, ``"reduction"``, ``"l2.factor"``, ...; None where all are binding.
    version : int or None
        The exercise's; None for a problem of the caller's own.
    kind, seed : str and int, or None
        The exercise that it is; None for a problem of the caller's own.
    answers_are_asked : bool
        Whether the asks are only what is answered, so that an error is at the answer.
    """

    problem: Problem
    asks: Mapping[str, str]
    decimals: int | None = None
    stated: frozenset[str] | None = frozenset()
    version: int | None = None
    kind: str | None = None
    seed: int | None = None
    answers_are_asked: bool = False

    def path_of(self, text: str) -> Path:
        """Return where a quantity's id stands."""
        if self.answers_are_asked or text not in self.asks:
            return ("answers", text)
        return ("asks", list(self.asks).index(text))

    def states(self, switch: str) -> bool:
        """Tell whether a convention is binding."""
        return self.stated is None or switch in self.stated


@dataclass(frozen=True, kw_only=True, eq=False)
class Submission:
    """What is handed in for a question.

    Parameters
    ----------
    answers : mapping of str to Answer
        Under quantity ids.
    tolerance : Tolerance, optional
        By default it follows from how the answer is written.
    policy : Policy
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


def read_asks(ids: tuple[str, ...], problem: Problem, *, path: Path = ("asks",)) -> dict[str, str]:
    """Read the quantities that are asked.

    Parameters
    ----------
    ids : tuple of str
    problem : Problem
    path : tuple
        Where they stand, for the error.

    Returns
    -------
    dict of str to str
        Numbered keys under the ids as spelt.

    Raises
    ------
    UnknownNameError, DomainError, ShapeError
        If an id is none, names nothing of this problem or stands twice, or there is no id.
    """
    return {text: quantity.key for text, quantity in parse_quantities(ids, problem, path=path).items()}


def read_ids(answers: Mapping[str, object], problem: Problem) -> dict[str, str]:
    """Read the ids that answers are handed in under.

    Parameters
    ----------
    answers : mapping
    problem : Problem

    Returns
    -------
    dict of str to str
        Numbered keys under the ids as spelt.

    Raises
    ------
    UnknownNameError, DomainError
        If an id is none, names nothing of this problem, or two mean one quantity.
    """
    found: dict[str, str] = {}
    seen: set[str] = set()
    for text in answers:
        key = parse_quantity(text, problem, path=("answers", text)).key
        if key in seen:
            raise DomainError(
                f"{public_name(key, problem)} is handed in twice; name each quantity once", path=("answers", text)
            )
        found[text] = key
        seen.add(key)
    return found
