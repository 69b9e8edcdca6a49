"""What verdicts are worth, by the policy: from parts to scores."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from core.arrays import Array, Flags
from core.errors import DomainError, Path
from core.grading.diagnosis.choice import Explanation
from core.grading.grade import Outcome, Part
from core.mistakes import MISTAKES

SHARE_BY_CHANCE = 0.5
"""The share of right entries up to which an answer earns nothing: a half is soon met by chance."""


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What verdicts are worth.

    Parameters
    ----------
    weights : mapping of str to float
        Of quantities asked, under their ids; 1 where nothing is said.
    mistakes : mapping of str to float
        Credit for an answer whose only fault is a mistake, by its id; of mistakes that cannot be told
        apart here, the best counts. Credits of several in one answer are multiplied. 0 where nothing is said.
    convention : float
        Credit for an answer that is right under a convention that was not stated.
    entries : float
        Credit for right entries of an answer without a diagnosis, above what chance would give.
    follow_through : float
        Credit for an answer that follows correctly from the student's own earlier values.
    once : bool
        Whether a mistake, or another convention, that explains several parts costs only the first that counts,
        in the order in which one is computed from another.

    Raises
    ------
    UnknownNameError
        If there is no such mistake.
    DomainError
        If a weight is negative, or a credit not in [0, 1].
    """

    weights: Mapping[str, float] = field(default_factory=dict)
    mistakes: Mapping[str, float] = field(default_factory=dict)
    convention: float = 0.5
    entries: float = 0.5
    follow_through: float = 1.0
    once: bool = False

    def __post_init__(self) -> None:
        for name, weight in self.weights.items():
            if not 0.0 <= weight < math.inf:
                raise DomainError(f"the weight is {weight:g}; needed 0 or more", path=("weights", name))
        for name in self.mistakes:
            MISTAKES.require(name, path=("mistakes", name))
        paid: dict[Path, float] = {("mistakes", name): credit for name, credit in self.mistakes.items()}
        paid |= {(name,): getattr(self, name) for name in ("convention", "entries", "follow_through")}
        for path, credit in paid.items():
            if not 0.0 <= credit <= 1.0:
                raise DomainError(f"the credit is {credit:g}; needed 0 to 1, a share of the part's weight", path=path)


def credit_explained(explained: Explanation, policy: Policy) -> float:
    """Return what an answer with a diagnosis is worth.

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
    limits : ndarray
        How far each entry may lie off.

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


def charge_once(parts: Sequence[Part], policy: Policy) -> list[Part]:
    """Let each mistake, and each other convention, cost only the first part that counts and that it explains.

    Parameters
    ----------
    parts : sequence of Part
        In the order in which one is computed from another.

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
    """
    largest = max(part.weight for part in parts)
    # as parts of the largest they add up, however large they are
    weights = [part.weight / largest for part in parts]
    score = sum(weight * part.score for weight, part in zip(weights, parts, strict=True)) / sum(weights)
    is_correct = all(part.verdict == "correct" for part in parts if part.weight > 0)
    return score, "correct" if is_correct else "partly_correct" if score > 0 else "incorrect"
