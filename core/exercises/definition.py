"""What is equal by definition: mistakes that give the same numbers whatever the numbers of a problem are."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from core.exercises.telling import Telling
from core.exercises.twins import draw_twin
from core.problem import Problem

TWINS_COMPARED = 2
"""Two draws do not agree by accident."""

MOST_TWINS = 4
"""A twin whose gradients are all 0 shows nothing, so that another one is drawn, up to this number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Equalities:
    """What is equal in all problems of one form.

    Parameters
    ----------
    hidden : frozenset of tuple of str and str
        Labels of variants, each with the id of a quantity in which it gives the right answer.
    same : frozenset of tuple of str and str
        Pairs of labels that give the same numbers in every quantity.
    shown : frozenset of str
        The labels of variants that give a wrong answer to some quantity.
    """

    hidden: frozenset[tuple[str, str]]
    same: frozenset[tuple[str, str]]
    shown: frozenset[str]


def find_equalities(problem: Problem, keys: Sequence[str], decimals: int) -> Equalities:
    """Find what is equal in every problem of the same form.

    Parameters
    ----------
    problem : Problem
        Its numbers do not matter: only its widths, activations, samples, loss and conventions do.
    keys : sequence of str
        Numbered ids of the quantities asked.
    decimals : int

    Returns
    -------
    Equalities
    """
    hidden: list[set[tuple[str, str]]] = []
    same: list[set[tuple[str, str]]] = []
    shown: set[str] = set()
    for telling in _tell_in_twins(problem, keys, decimals):
        labels = [variant.label for variant in telling.variants]
        hidden.append({(labels[i], telling.keys[j]) for i, j in np.argwhere(telling.hidden)})
        same.append({(labels[i], labels[j]) for i, j in np.argwhere(telling.same)})
        shown.update(labels[i] for i in np.flatnonzero(~telling.hidden.all(axis=1)))
    return Equalities(
        hidden=frozenset(set.intersection(*hidden)),
        same=frozenset(set.intersection(*same)),
        shown=frozenset(shown),
    )


def _tell_in_twins(problem: Problem, keys: Sequence[str], decimals: int) -> Iterator[Telling]:
    n_compared = 0
    for number in range(1, MOST_TWINS + 1):
        telling = Telling(draw_twin(problem, number), keys, decimals)
        yield telling
        # where relu units are dead, everything is 0 by accident
        n_compared += all(truth.any() for truth in telling.truths)
        if n_compared == TWINS_COMPARED:
            return
