"""What can be said of an answer without telling anything of its numbers."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

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
    grade : Grade
    shapes : Facts
        What is known beside.

    Returns
    -------
    Facts
    """
    return replace(
        shapes,
        verdict=grade.verdict,
        verdicts=Counter(part.verdict for part in grade.parts),
        mistakes=Counter(
            mistake for part in grade.parts for diagnosis in part.diagnoses or () for mistake in diagnosis.mistakes
        ),
    )
