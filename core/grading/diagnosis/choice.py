"""From hypotheses to a diagnosis: the one that explains the other parts as well, its class, its words."""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from core.arrays import Array
from core.conventions import Switch
from core.errors import CoreError
from core.grading.diagnosis.hypothesis import Hypothesis, Origin, PartToExplain, same_numbers
from core.grading.diagnosis.suspects import Suspects
from core.grading.grade import Diagnosis, Switches
from core.grading.question import Question
from core.mistakes import MISTAKES
from core.problem import Problem
from core.quantities import Quantity, is_layer_value, public_name
from core.scenarios import Scenarios

MOST_LISTED = 20
"""How many equivalents are listed."""

MOST_COMPARED = 32
"""How many explanations, the nearest first, are compared by what they say of how many other parts."""

ONE_OF_SEVERAL = "Several mistakes give these numbers; the first to look for: "


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Explanation:
    """Why an answer is wrong.

    Parameters
    ----------
    mistakes : tuple of str
        Those that are not only another convention.
    alternatives : tuple of tuples of str
        Other mistakes that give the same numbers in all parts.
    convention : mapping
        The switches among its mistakes that were not stated.
    message : str
        Feedback for the student on the mistakes.
    """

    mistakes: tuple[str, ...]
    alternatives: tuple[tuple[str, ...], ...]
    convention: Switches
    message: str

    def to_diagnosis(self) -> Diagnosis:
        """Return the diagnosis for the reply."""
        return Diagnosis(
            mistakes=self.mistakes,
            equivalent=tuple("+".join(names) for names in self.alternatives[:MOST_LISTED]),
            message=(ONE_OF_SEVERAL if self.alternatives else "") + self.message,
        )


def free_switches(question: Question, suspects: Suspects) -> frozenset[Switch]:
    """List the conventions that the problem could have as well, because nobody stated them."""
    switches = {suspect.switch for suspect in suspects.suspects if suspect.switch}
    return frozenset(s for s in switches if not question.states(s[0]) and _fits(question.problem, s))


def _fits(problem: Problem, switch: Switch) -> bool:
    try:
        problem.under(switch)
    except CoreError:
        return False
    return True


def choose(
    part: PartToExplain,
    hypotheses: Sequence[Hypothesis],
    scenarios: Scenarios,
    others: Sequence[PartToExplain],
    free: Collection[Switch],
) -> Explanation | None:
    """Choose the explanation that fits the other parts best, then the nearest.

    Parameters
    ----------
    part : PartToExplain
        The part.
    hypotheses : sequence of Hypothesis
        Its explanations, all equally simple.
    scenarios : Scenarios
        Those that the hypotheses come from.
    others : sequence of PartToExplain
        The other parts.
    free : collection of Switch
        The conventions that nobody stated.

    Returns
    -------
    Explanation or None
        None if there is no hypothesis.
    """
    if not hypotheses:
        return None
    fits = {hypothesis: _agreement(hypothesis, scenarios, others) for hypothesis in hypotheses[:MOST_COMPARED]}
    # the first of the best: the nearest
    best = max(fits, key=lambda hypothesis: fits[hypothesis])
    same = [
        hypothesis
        for hypothesis, fit in fits.items()
        if (hypothesis is best or same_numbers(hypothesis.prediction, best.prediction, part.allowance.largest))
        and fit == fits[best]
    ]
    best = min(same, key=lambda hypothesis: hypothesis.precedence)
    alternatives = dict.fromkeys(hypothesis.names for hypothesis in same if hypothesis.names != best.names)
    chosen = {name: switch for name, switch in best.switches.items() if switch in free}
    mistakes = tuple(name for name in best.names if name not in chosen)
    message = " ".join(_say(name, best.origins.get(name), part.quantity, scenarios.problem) for name in mistakes)
    convention = dict(chosen.values())
    return Explanation(mistakes=mistakes, alternatives=tuple(alternatives), convention=convention, message=message)


def _say(name: str, origin: Origin | None, quantity: Quantity, problem: Problem) -> str:
    """Return the feedback on a mistake, with the step that it is made in where that is an earlier one."""
    message = MISTAKES[name].say(problem, quantity)
    # the losses of the samples, and what else has no name outside, come just before the loss
    if origin is None or origin.step in (None, quantity.key) or (quantity.is_loss and not is_layer_value(origin.step)):
        return message
    goes_back = quantity.by is not None or quantity.is_loss
    is_forward = is_layer_value(origin.step)
    place = "the forward pass" if is_forward and goes_back else public_name(origin.step, problem).replace("_d", "/d")
    return f"In {place}, {message[0].lower()}{message[1:]}"


def _agreement(hypothesis: Hypothesis, scenarios: Scenarios, others: Sequence[PartToExplain]) -> int:
    # an answer that the explanation predicts speaks for it, a right one that it would have made wrong against it
    return sum(
        other.is_met(_predict(hypothesis, scenarios, other.quantity)) - other.is_right
        for other in others[:MOST_COMPARED]
    )


def _predict(hypothesis: Hypothesis, scenarios: Scenarios, quantity: Quantity) -> Array:
    value = scenarios.value(quantity.key, hypothesis.selection)
    # who multiplies one quantity by a size of the problem does so with the others
    transforms = (t for name in hypothesis.names if name not in hypothesis.origins for t in MISTAKES[name].transforms)
    factors = (t.factor(scenarios.problem, quantity) for t in transforms if t.factor)
    return math.prod((factor for factor in factors if factor is not None), start=1.0) * value
