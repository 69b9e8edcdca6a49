"""Credit for what follows: a part against what the student's own upstream parts lead to.

It cannot be gamed: upstream answers that make the rest trivial (zeros, constants, the targets themselves,
rows that are no distribution) lead nowhere, unless a mistake of the catalogue explains them, and neither
does an expected answer with far fewer different numbers than the truth.
"""

from collections.abc import Iterator, Mapping
from functools import reduce

import numpy as np

from core.arrays import Array
from core.conventions import COLUMN_ORDERS
from core.grading.allowance import Allowance
from core.grading.effort import Effort
from core.problem import Problem
from core.quantities import position, to_quantity
from core.scenarios import Scenarios

LEAST_DISTINCT_SHARE = 0.5
"""An answer with no larger part of the truth's different numbers makes what follows too easy."""


def is_informative(value: Array, truth: Array, allowed: float) -> bool:
    """Tell whether an array is about as hard to come by as the truth.

    Parameters
    ----------
    value, truth : ndarray
        Of one shape.
    allowed : float
        How far an entry may lie off; what is nearer to 0, or to another entry, is no number of its own.

    Returns
    -------
    bool
    """
    return _count_different(value, allowed) > LEAST_DISTINCT_SHARE * _count_different(truth, allowed) > 0


def _count_different(value: Array, allowed: float) -> int:
    sizes = np.sort(np.abs(value).ravel())
    sizes = sizes[sizes > 2.0 * allowed]
    return int(sizes.size and 1 + (np.diff(sizes) > allowed).sum())


def is_distribution(value: Array, allowed: float) -> bool:
    """Tell whether each row is a distribution, as far as rounding lets it be.

    Parameters
    ----------
    value : ndarray, shape (n_samples, n_classes)
    allowed : float
        How far an entry may lie off.

    Returns
    -------
    bool
    """
    sums = np.abs(value.sum(axis=-1) - 1.0).max()
    return bool(sums <= value.shape[-1] * allowed and value.min() >= -allowed and value.max() <= 1.0 + allowed)


def needs_no_work(problem: Problem, value: Array, allowed: float) -> bool:
    """Tell whether every number of an answer can be written down without computing any.

    Parameters
    ----------
    problem : Problem
    value : ndarray
    allowed : float
        How far an entry may lie off.

    Returns
    -------
    bool
        Zeros, the targets of classes and the identity, perhaps over N, are such numbers.
    """
    free = np.array([0.0, 1.0, 1.0 / problem.n_samples])
    return bool(np.abs(np.abs(value)[..., None] - free).min(axis=-1).max() <= allowed)


def may_lead_on(problem: Problem, key: str, own: Array, truth: Array, allowance: Allowance) -> bool:
    """Tell whether what follows from a student's own wrong answer may earn credit in everything downstream.

    Parameters
    ----------
    problem : Problem
    key : str
        The quantity's numbered id.
    own, truth : ndarray
        Of one shape.
    allowance : Allowance

    Returns
    -------
    bool
    """
    is_outputs = problem.network.gives_distribution and key == f"A{problem.network.depth}"
    allowed = max(allowance.allowed, float(allowance.units.max()))
    return is_informative(own, truth, allowed) and (not is_outputs or is_distribution(own, allowed))


def follow(
    scenarios: Scenarios, own_scenarios: Scenarios, key: str, own: Mapping[str, Array], effort: Effort
) -> Iterator[Array]:
    """Compute what a quantity is when a student's own upstream parts are taken for granted.

    Parameters
    ----------
    scenarios : Scenarios
        Those of the problem itself.
    own_scenarios : Scenarios
        Those with the student's own values given.
    key : str
        The quantity's numbered id.
    own : mapping of str to ndarray
        The student's own values of what is upstream, of their quantities' shapes.
    effort : Effort
        What is left for the derivatives on the long way, which nobody asked for; without, it is not gone.

    Yields
    ------
    ndarray
        By the table of steps, and by the chain rule from own derivatives, the long way.
    """
    if own.keys() & scenarios.upstream(key):
        yield own_scenarios.value(key)
    if not key.startswith("d"):
        return
    of, by = key[1:].split("_d")
    for name in own:
        factors = _factors(name, of, by)
        if factors and effort.affords([to_quantity(factor) for factor in factors if factor not in own]):
            yield _product(scenarios, own, factors, by)


def _factors(name: str, of: str, by: str) -> list[str]:
    # an own derivative somewhere on the chain, with what leads to it from both sides
    if not name.startswith("d"):
        return []
    upper, lower = name[1:].split("_d")
    if not ((upper == of or _lies_between(upper, of, by)) and (lower == by or _lies_between(lower, of, by))):
        return []
    above = [] if upper == of else [f"d{of}_d{upper}"]
    below = [] if lower == by else [f"d{lower}_d{by}"]
    return [*above, name, *below]


def _lies_between(middle: str, of: str, by: str) -> bool:
    return middle[0] in "ZA" and position(by) < position(middle) < position(of)


def _product(scenarios: Scenarios, own: Mapping[str, Array], factors: list[str], by: str) -> Array:
    first, *others = (own[key] if key in own else scenarios.value(key) for key in factors)
    if first.ndim == 3:
        return reduce(np.matmul, others, first)
    # a row for each sample, and the sum over samples where the parameters are shared
    rows = reduce(np.matmul, others, first[:, None, :])[:, 0, :]
    if by[0] not in "Wb":
        return rows
    parameter = scenarios.value(by)
    total = rows.sum(axis=0).reshape(parameter.shape, order=COLUMN_ORDERS[scenarios.problem.conventions.column_order])
    # the L2 term does not come down the chain
    return np.asarray(total + scenarios.value("l2_coefficient" if by[0] == "W" else "bias_l2_coefficient") * parameter)
