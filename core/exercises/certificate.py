"""When a draw is good: its numbers hide no mistake, and confuse none with another."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from core.exercises.telling import Telling
from core.exercises.twins import TWINS, draw_twin
from core.problem import Problem

MOST_SPREAD = 30.0
"""A quantity that rounding moves by more units of the last decimal is not fit for work by hand."""


def faults(problem: Problem, keys: Sequence[str], decimals: int, *, version: int | None = None) -> list[str]:
    """List what a problem's numbers hide beyond what is hidden by mathematics.

    Parameters
    ----------
    problem : Problem
    keys : sequence of str
        Numbered ids of the quantities asked.
    decimals : int
    version : int or None
        The version of the catalogue of mistakes.

    Returns
    -------
    list of str
        Empty for a problem that an exercise can be made of.
    """
    telling = Telling(problem, keys, decimals, version=version)
    found = [
        f"rounding moves {key} too far"
        for key, precision in zip(telling.keys, telling.precisions, strict=True)
        if precision.beyond(decimals).max() > MOST_SPREAD * 10.0**-decimals
    ]
    found += [
        f"{key} has an entry that rounding hides"
        for key, truth, precision in zip(telling.keys, telling.truths, telling.precisions, strict=True)
        if ((np.abs(truth) <= precision.limits(decimals)) & (truth != 0)).any()
    ]
    if found:
        return found
    always_hidden, always_same = _by_mathematics(problem, tuple(keys), decimals, version)
    for row, variant in enumerate(telling.variants):
        for column, key in enumerate(telling.keys):
            if telling.doubtful[row, column]:
                found.append(f"{variant.label} is hard to see in {key}")
            elif telling.hidden[row, column] and (variant.label, key) not in always_hidden:
                found.append(f"{variant.label} is hidden in {key}")
    labels = [variant.label for variant in telling.variants]
    for one, other in np.argwhere(np.triu(telling.confused, k=1)):
        pair = (labels[one], labels[other])
        is_one_mistake = telling.variants[one].name == telling.variants[other].name
        if not is_one_mistake and not (telling.same[one, other] and pair in always_same):
            found.append(f"{pair[0]} is confused with {pair[1]}")
    return found


def _by_mathematics(
    problem: Problem, keys: tuple[str, ...], decimals: int, version: int | None
) -> tuple[frozenset[tuple[str, str]], frozenset[tuple[str, str]]]:
    """Find what is hidden, and what is the same, whatever the numbers are."""
    return _known(_Form(problem), keys, decimals, version)


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
def _known(
    form: _Form, keys: tuple[str, ...], decimals: int, version: int | None
) -> tuple[frozenset[tuple[str, str]], frozenset[tuple[str, str]]]:
    hidden: set[tuple[str, str]] | None = None
    same: set[tuple[str, str]] | None = None
    for number in TWINS:
        telling = Telling(draw_twin(form.problem, number), keys, decimals, version=version)
        labels = [variant.label for variant in telling.variants]
        hidden_here = {(labels[i], keys[j]) for i, j in np.argwhere(telling.hidden)}
        same_here = {(labels[i], labels[j]) for i, j in np.argwhere(telling.same)}
        hidden = hidden_here if hidden is None else hidden & hidden_here
        same = same_here if same is None else same & same_here
    return frozenset(hidden or ()), frozenset(same or ())
