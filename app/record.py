"""What becomes known of a request on its way, for its log line and the metrics; nothing of its numbers."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import cast

from starlette.types import Scope

from core.grading import Grade
from core.problem import Problem
from core.softmax_layer import SoftmaxLayer

MOST_WIDTHS = 16
"""Widths of a deep network that are said; there may be thousands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of an answer; it comes with it from whichever process the work was done in.

    Parameters
    ----------
    n_samples : int
        0 where the body has no shapes.
    widths : tuple of int
        Of the inputs and of each layer's outputs, the first of them.
    reason : str
        Why there is no answer, in one word: a problem document's first code.
    verdict : str
        Of a grade.
    verdicts, mistakes : mapping
        How many parts of a grade got which verdict, and which mistakes its feedback names.
    """

    n_samples: int = 0
    widths: tuple[int, ...] = ()
    reason: str = ""
    verdict: str = ""
    verdicts: Mapping[str, int] = field(default_factory=dict)
    mistakes: Mapping[str, int] = field(default_factory=dict)


NOTHING = Facts()


def measure_shapes(body: object) -> Facts:
    """Say how large what a request holds is.

    Parameters
    ----------
    body : object
        As it was read.

    Returns
    -------
    Facts
        Nothing where it holds no problem of its own.
    """
    match body:
        case Problem():
            return Facts(n_samples=body.n_samples, widths=tuple(body.network.widths[:MOST_WIDTHS]))
        case SoftmaxLayer():
            return Facts(n_samples=1, widths=body.weights.shape)
    problem = getattr(body, "problem", None)
    return NOTHING if problem is None else measure_shapes(problem)


def count_marks(grade: Grade, shapes: Facts) -> Facts:
    """Count what a grade says, as far as its feedback shows it.

    Parameters
    ----------
    shapes : Facts
        What is known beside.
    """
    return replace(
        shapes,
        verdict=grade.verdict,
        verdicts=Counter(part.verdict for part in grade.parts),
        mistakes=Counter(
            mistake for part in grade.parts for diagnosis in part.diagnoses or () for mistake in diagnosis.mistakes
        ),
    )


MOST_COUNTED = 1000
"""Quantities that the summary counts one by one; further ones, each line with ids of its own, go together."""

OTHERS = "others"

Counts = dict[str, Counter[str]]


@dataclass(slots=True)
class Summary:
    """Counts over a whole request, or over a part of it."""

    lines: int = 0
    problems: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)
    quantities: dict[str, Counts] = field(default_factory=dict)

    def count(self, grade: Grade, times: int = 1) -> None:
        """Count a grade, as far as its feedback shows it.

        Parameters
        ----------
        times : int
            Of how many lines it is the grade.
        """
        self.verdicts[grade.verdict] += times
        for part in grade.parts:
            counts = self.quantities.setdefault(part.quantity, _count_nothing())
            counts["verdicts"][part.verdict] += times
            for diagnosis in part.diagnoses or ():
                for mistake in diagnosis.mistakes:
                    counts["mistakes"][mistake] += times

    def add(self, part: "Summary") -> None:
        """Count what comes next of the request."""
        self.lines += part.lines
        self.problems += part.problems
        self.verdicts.update(part.verdicts)
        for quantity, counts in part.quantities.items():
            is_counted = quantity in self.quantities or len(self.quantities) < MOST_COUNTED
            own = self.quantities.setdefault(quantity if is_counted else OTHERS, _count_nothing())
            for name, counter in counts.items():
                own[name].update(counter)


def _count_nothing() -> Counts:
    return {"verdicts": Counter(), "mistakes": Counter()}


@dataclass(slots=True)
class Record:
    """What whoever answers a request writes down of it."""

    facts: Facts = NOTHING
    """What came with the answer."""
    summary: Summary | None = None
    """Of a bulk request, counted while it is marked."""


def record_of(scope: Scope) -> Record:
    """Return the record of a request.

    Parameters
    ----------
    scope : dict
        As ASGI has it.
    """
    return cast("Record", scope["state"]["record"])
