"""When a draw is good: its numbers hide no mistake, and confuse none with another."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from core.exercises.definition import Equalities, find_equalities
from core.exercises.distinguishability import Distinguishability
from core.problem import Problem

LARGEST_ROUNDING = 30.0
"""A quantity that rounding moves by more units of the last decimal is not fit for work by hand."""


def find_defects(problem: Problem, keys: Sequence[str], decimals: int) -> list[str]:
    """List what a problem's numbers hide beyond what is equal by definition.

    Parameters
    ----------
    keys : sequence of str
        Numbered ids of the quantities asked.

    Returns
    -------
    list of str
        Empty for a problem that an exercise can be made of.
    """
    told = Distinguishability(problem, keys, decimals)
    found = [
        f"rounding moves {key} too far"
        for key, precision in zip(told.keys, told.precisions, strict=True)
        if precision.beyond(decimals).max() > LARGEST_ROUNDING * 10.0**-decimals
    ]
    found += [
        f"{key} has an entry that rounding hides"
        for key, truth, precision in zip(told.keys, told.truths, told.precisions, strict=True)
        if ((np.abs(truth) <= precision.limits(decimals)) & (truth != 0)).any()
    ]
    if found:
        return found
    always = _known(_Form(problem), tuple(keys), decimals)
    for row, wrong in enumerate(told.wrong_answers):
        for column, key in enumerate(told.keys):
            if told.doubtful[row, column]:
                found.append(f"{wrong.label} is hard to see in {key}")
            elif told.hidden[row, column] and (wrong.label, key) not in always.hidden:
                found.append(f"{wrong.label} is hidden in {key}")
    labels = [wrong.label for wrong in told.wrong_answers]
    for one, other in np.argwhere(np.triu(told.confused, k=1)):
        pair = (labels[one], labels[other])
        is_one_mistake = told.wrong_answers[one].name == told.wrong_answers[other].name
        if not is_one_mistake and not (told.same[one, other] and pair in always.same):
            found.append(f"{pair[0]} is confused with {pair[1]}")
    return found


class _Form:
    """A problem by its form: two with the same widths, activations, samples and conventions are equal."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        network = problem.network
        self.key = (
            network.widths,
            tuple((layer.activation, layer.bias is None) for layer in network.layers),
            problem.n_samples,
            problem.loss,
            problem.has_labels,
            problem.conventions,
        )

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Form) and self.key == other.key


@lru_cache(maxsize=256)
def _known(form: _Form, keys: tuple[str, ...], decimals: int) -> Equalities:
    return find_equalities(form.problem, keys, decimals)
