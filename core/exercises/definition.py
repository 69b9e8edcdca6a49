"""What is equal by definition: mistakes that give the same numbers whatever the numbers of a problem are."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from core.exercises.distinguishability import Distinguishability
from core.exercises.redrawn import redraw
from core.problem import Problem

REDRAWS_COMPARED = 2
"""Two draws do not agree by accident."""

MOST_REDRAWS = 4
"""A redrawn problem whose gradients are all 0 shows nothing, so that another one is drawn, up to this number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Equalities:
    """What is equal in all problems of one form.

    Parameters
    ----------
    hidden : frozenset of tuple of str and str
        Labels of wrong answers, each with the id of a quantity in which it gives the right answer.
    same : frozenset of tuple of str and str
        Pairs of labels that give the same numbers in every quantity.
    shown : frozenset of str
        The labels of those that give a wrong answer to some quantity.
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
    """
    hidden: list[set[tuple[str, str]]] = []
    same: list[set[tuple[str, str]]] = []
    shown: set[str] = set()
    for told in _compare_redrawn(problem, keys, decimals):
        labels = [wrong.label for wrong in told.wrong_answers]
        hidden.append({(labels[i], told.keys[j]) for i, j in np.argwhere(told.hidden)})
        same.append({(labels[i], labels[j]) for i, j in np.argwhere(told.same)})
        shown.update(labels[i] for i in np.flatnonzero(~told.hidden.all(axis=1)))
    return Equalities(
        hidden=frozenset(set.intersection(*hidden)),
        same=frozenset(set.intersection(*same)),
        shown=frozenset(shown),
    )


def _compare_redrawn(problem: Problem, keys: Sequence[str], decimals: int) -> Iterator[Distinguishability]:
    n_compared = 0
    for number in range(1, MOST_REDRAWS + 1):
        told = Distinguishability(redraw(problem, number), keys, decimals)
        yield told
        # where relu units are dead, everything is 0 by accident
        n_compared += all(truth.any() for truth in told.truths)
        if n_compared == REDRAWS_COMPARED:
            return
