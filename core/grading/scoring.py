"""From verdicts to numbers, by the policy."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from core.arrays import Array, Flags
from core.errors import DomainError
from core.grading.diagnosis import Explained
from core.grading.grade import Outcome, Part
from core.grading.submission import Policy

LEAST_CHANCE = 0.5
"""The share of right entries up to which an answer earns nothing: a half is soon met by chance."""


def credit_explained(explained: Explained, policy: Policy) -> float:
    """Return what an answer with a diagnosis is worth.

    Parameters
    ----------
    explained : Explained
    policy : Policy

    Returns
    -------
    float
        Of mistakes that cannot be told apart, the best credit.
    """
    credit = max(
        math.prod(policy.mistakes.get(name, 0.0) for name in names)
        for names in (explained.mistakes, *explained.alternatives)
    )
    return credit * (policy.convention if explained.convention else 1.0)


def credit_entries(entries: Flags, truth: Array, limits: Array, policy: Policy) -> float:
    """Return what the right entries of an answer without a diagnosis are worth.

    Parameters
    ----------
    entries : ndarray of bool
        Which entries are right.
    truth : ndarray
    limits : ndarray
        How far each entry may lie off.
    policy : Policy

    Returns
    -------
    float
        0 up to the share that zeros, another constant or the transpose would get, and half of the entries.
    """
    if truth.size == 1:
        return 0.0
    trivial = [_share(truth, np.zeros(()), limits), _share(truth, np.asarray(np.median(truth)), limits)]
    if truth.ndim > 1 and truth.shape[-1] == truth.shape[-2]:
        trivial.append(_share(truth, np.swapaxes(truth, -1, -2), limits))
    floor = max(LEAST_CHANCE, *trivial)
    share = float(entries.mean())
    return policy.entries * max(0.0, (share - floor) / (1.0 - floor)) if floor < 1.0 else 0.0


def _share(truth: Array, guess: Array, limits: Array) -> float:
    return float((np.abs(truth - guess) <= limits).mean())


def sum_up(parts: Mapping[str, Part], asks: Sequence[str], policy: Policy) -> tuple[float, Outcome]:
    """Return the grade's score and verdict.

    Parameters
    ----------
    parts : mapping of str to Part
        Under ids.
    asks : sequence of str
        The ids that were asked; the others weigh nothing.
    policy : Policy

    Returns
    -------
    tuple of float and Outcome

    Raises
    ------
    DomainError
        If a weight is given for something that was not asked, or all weights are 0.
    """
    for name in policy.weights:
        if name not in asks:
            raise DomainError(
                "a weight is given for a quantity that is not asked; write its id as in asks",
                path=("policy", "weights", name),
            )
    weights = {name: policy.weights.get(name, 1.0) for name in asks}
    largest = max(weights.values())
    if not largest:
        raise DomainError("the weights are all 0; needed one above 0", path=("policy", "weights"))
    # as parts of the largest they add up, however large they are
    weights = {name: weight / largest for name, weight in weights.items()}
    total = sum(weights.values())
    score = sum(weight * parts[name].score for name, weight in weights.items()) / total
    counted = [parts[name].verdict == "correct" for name, weight in weights.items() if weight > 0]
    verdict: Outcome = "correct" if all(counted) else "partly_correct" if score > 0 else "incorrect"
    return score, verdict
