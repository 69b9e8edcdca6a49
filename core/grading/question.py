"""A question: a problem, what is asked of it, and the ids under which that is asked and answered."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from core.errors import DomainError, Path
from core.grading.grade import MarkedAgainst
from core.problem import Problem
from core.quantities import parse_quantities, parse_quantity, public_name


@dataclass(frozen=True, kw_only=True, eq=False)
class Question:
    """A problem and what is asked of it.

    Parameters
    ----------
    asks : mapping of str to str
        The quantities asked: ids as spelt, and numbered keys.
    decimals : int or None
        Those that answers are asked for with; None where nothing is said.
    stated : frozenset of str or None
        The conventions that were stated, ``"reduction"``, ``"l2.factor"``, ...; None where all are binding.
    marked_against : MarkedAgainst
        The exercise that it is, if it is one.
    answers_are_asked : bool
        Whether the asks are only what is answered, so that an error is at the answer.
    """

    problem: Problem
    asks: Mapping[str, str]
    decimals: int | None = None
    stated: frozenset[str] | None = frozenset()
    marked_against: MarkedAgainst = field(default_factory=MarkedAgainst)
    answers_are_asked: bool = False

    def path_of(self, text: str) -> Path:
        """Return where a quantity's id stands."""
        if self.answers_are_asked or text not in self.asks:
            return ("answers", text)
        return ("asks", list(self.asks).index(text))

    def states(self, switch: str) -> bool:
        """Tell whether a convention is binding."""
        return self.stated is None or switch in self.stated


def read_asks(ids: tuple[str, ...], problem: Problem) -> dict[str, str]:
    """Read the quantities that are asked.

    Returns
    -------
    dict of str to str
        Numbered keys under the ids as spelt.

    Raises
    ------
    UnknownNameError, DomainError, ShapeError
        If an id is none, names nothing of this problem or stands twice, or there is no id.
    """
    return {text: quantity.key for text, quantity in parse_quantities(ids, problem, path=("asks",)).items()}


def read_ids(answers: Mapping[str, object], problem: Problem) -> dict[str, str]:
    """Read the ids that answers are handed in under.

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
