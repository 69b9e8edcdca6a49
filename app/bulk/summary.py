"""The last line of a bulk reply: how many answers got which verdict, and which mistakes were made."""

from collections import Counter
from dataclasses import dataclass, field

from core.grading import Grade

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
        grade : Grade
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
        """Count what comes next of the request.

        Parameters
        ----------
        part : Summary
        """
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
