"""What becomes known of a request on its way, for its log line and the metrics; nothing of its numbers."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import cast

from starlette.types import Scope

from core.grading import Grade
from core.problem import Problem
from core.softmax_layer import SoftmaxLayer

MOST_WIDTHS = 16  # widths of a deep network that are said; there may be thousands

MOST_COUNTED = 1000
"""Quantities that the summary counts one by one; further ones, each line with ids of its own, go together."""

OTHERS = "others"

Counts = Mapping[str, Counter[str]]


@dataclass(slots=True)
class Summary:
    """Counts over the grades of a bulk request, of a part of it, or over a single grade, which is no line."""

    lines: int = 0
    problems: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)
    quantities: dict[str, Counts] = field(default_factory=dict)

    def count(self, grade: Grade, times: int = 1) -> None:
        """Count a grade as that of so many lines, as far as its feedback shows it."""
        self.verdicts[grade.verdict] += times
        for part in grade.parts:
            counts = self._counts_of(part.quantity)
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
            own = self._counts_of(quantity if is_counted else OTHERS)
            for name, counter in counts.items():
                own[name].update(counter)

    def _counts_of(self, quantity: str) -> Counts:
        return self.quantities.setdefault(quantity, {"verdicts": Counter(), "mistakes": Counter()})


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of an answer; it comes with it from whichever process the work was done in."""

    n_samples: int = 0
    """0 where the body has no shapes."""
    widths: tuple[int, ...] = ()
    """Of the inputs and of each layer's outputs, the first of them."""
    reason: str = ""
    """Why there is no answer, in one word: a problem document's first code."""
    is_cut: bool = False
    """Whether the reply ends before all is said, though by a whole last line."""
    marks: Summary | None = None
    """Of a grade, or of a bulk request, counted while it is marked."""


NO_FACTS = Facts()


def measure_shapes(body: object) -> Facts:
    """Say how large the problem of a body is; nothing where it has none of its own."""
    match body:
        case Problem():
            return Facts(n_samples=body.n_samples, widths=tuple(body.network.widths[:MOST_WIDTHS]))
        case SoftmaxLayer():
            return Facts(n_samples=1, widths=body.weights.shape)
    problem = getattr(body, "problem", None)
    return NO_FACTS if problem is None else measure_shapes(problem)


def count_marks(grade: Grade, shapes: Facts) -> Facts:
    """Add to what is known what a grade says, as far as its feedback shows it."""
    marks = Summary()
    marks.count(grade)
    return replace(shapes, marks=marks)


def note_facts(scope: Scope, facts: Facts) -> None:
    """Note what is known of a request."""
    scope["state"]["facts"] = facts


def facts_of(scope: Scope) -> Facts:
    """Return what is known of a request."""
    return cast("Facts", scope["state"].get("facts", NO_FACTS))
