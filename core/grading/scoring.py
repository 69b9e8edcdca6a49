"""From verdicts to numbers, by the policy."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from core.arrays import Array, Flags
from core.errors import DomainError
from core.grading.diagnosis import Explanation
from core.grading.grade import Part
from core.grading.submission import Policy
from core.grading.verdicts import FULL_SCORE_VERDICTS, Outcome

SHARE_BY_CHANCE = 0.5
"""The share of right entries up to which an answer earns nothing: a half is soon met by chance."""


def credit_explained(explained: Explanation, policy: Policy) -> float:
    """Return what an answer with a diagnosis is worth.

    Parameters
    ----------
    explained : Explanation
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
    floor = max(SHARE_BY_CHANCE, *trivial)
    share = float(entries.mean())
    return policy.entries * max(0.0, (share - floor) / (1.0 - floor)) if floor < 1.0 else 0.0


def _share(truth: Array, guess: Array, limits: Array) -> float:
    return float((np.abs(truth - guess) <= limits).mean())


def weigh(asks: Sequence[str], policy: Policy) -> dict[str, float]:
    """Return the weights of what is asked.

    Parameters
    ----------
    asks : sequence of str
        Ids; what else is answered weighs nothing.
    policy : Policy

    Returns
    -------
    dict of str to float

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
    if not any(weights.values()):
        raise DomainError("the weights are all 0; needed one above 0", path=("policy", "weights"))
    return weights


def finish_part(part: Part, *, quantity: str, title: str, weight: float) -> Part:
    """Say of a part what it is, and count its right entries: all of them where its verdict gives the full score.

    Parameters
    ----------
    part : Part
    quantity : str
        Its id as spelt.
    title : str
    weight : float

    Returns
    -------
    Part
    """
    if part.entries is None:
        return replace(part, quantity=quantity, title=title, weight=weight)
    is_full = part.score == 1.0 and part.verdict in FULL_SCORE_VERDICTS
    entries = np.ones_like(part.entries) if is_full else part.entries
    right = int(np.count_nonzero(entries))
    return replace(part, quantity=quantity, title=title, weight=weight, entries=entries, right=right, of=entries.size)


def charge_once(parts: Sequence[Part], policy: Policy) -> list[Part]:
    """Let each mistake, and each other convention, cost only the first part that counts and that it explains.

    Parameters
    ----------
    parts : sequence of Part
        In the order in which one is computed from another.
    policy : Policy

    Returns
    -------
    list of Part
        Of several mistakes in one answer, those that have cost a part before count as no mistake.
    """
    charged: frozenset[object] = frozenset()
    found = []
    for part in parts:
        found.append(replace(part, score=max(part.score, _credit_left(part, charged, policy))))
        if part.weight > 0:
            charged |= _charged_by(part)
    return found


def _credit_left(part: Part, charged: frozenset[object], policy: Policy) -> float:
    causes, switches = _causes(part), _switches(part)
    if not (causes or switches):
        return 0.0
    credits_left = (
        math.prod(policy.mistakes.get(name, 0.0) for name in names if name not in charged) for names in causes
    )
    convention = 1.0 if charged.issuperset(switches) else policy.convention
    return max(credits_left, default=1.0) * convention


def _charged_by(part: Part) -> set[object]:
    causes = _causes(part)
    # of mistakes that give the same numbers here, each may be the one that explains a later part
    alone = [names[0] for names in causes if len(names) == 1]
    return {*alone, *(name for names in causes[:1] for name in names), *_switches(part)}


def _causes(part: Part) -> list[tuple[str, ...]]:
    return [names for diagnosis in part.diagnoses or () for names in diagnosis.causes]


def _switches(part: Part) -> list[tuple[str, str | float]]:
    return list((part.convention or {}).items())


def sum_up(parts: Sequence[Part]) -> tuple[float, Outcome]:
    """Return the grade's score and verdict.

    Parameters
    ----------
    parts : sequence of Part
        With their weights, of which one is above 0.

    Returns
    -------
    tuple of float and Outcome
    """
    largest = max(part.weight for part in parts)
    # as parts of the largest they add up, however large they are
    weights = [part.weight / largest for part in parts]
    score = sum(weight * part.score for weight, part in zip(weights, parts, strict=True)) / sum(weights)
    is_correct = all(part.verdict == "correct" for part in parts if part.weight > 0)
    return score, "correct" if is_correct else "partly_correct" if score > 0 else "incorrect"
