"""Factors that have a name in a problem: the number of samples for a forgotten mean, ln 2 for another logarithm."""

from collections.abc import Collection
from functools import partial

import numpy as np

from core.arrays import Array
from core.grading.diagnosis.hypothesis import PartToExplain
from core.grading.diagnosis.suspects import Factor, Suspects
from core.grading.shapes import fit_shape
from core.mistakes import Variant
from core.problem import Problem
from core.quantities import Quantity
from core.steps import RuleContext, steps_of, structure_of

DIVISORS = frozenset({"divisor", "log_of_base"})
"""The constants of the table that the losses are divided by."""


Known = list[tuple[tuple[str, ...], Array, int]]
"""Mistakes, the numbers that they give, in a row, and the bits of their variants, 0 for transforms."""


def find_known(suspects: Suspects, part: PartToExplain, truth: Array) -> Known:
    """List what mistakes make of a quantity by a factor near the answer's, or put in its place.

    Parameters
    ----------
    truth : ndarray
        The quantity, possibly as it follows from given values.
    """
    known, right = _find_others(suspects, part), truth.ravel()
    with np.errstate(all="ignore"):
        number = float(np.divide(right @ part.answer.ravel(), right @ right)) if part.own is not None else 0.0
    # a factor that is far from the one that fits best is none
    factors = [each for each in _factors(suspects, part.quantity) if abs(number - each[1]) <= 0.5 * abs(each[1])]
    return known + [(names, factor * right, bits) for names, factor, bits in factors]


def name_factor(suspects: Suspects, part: PartToExplain, made: Collection[str], row: Array) -> Known:
    """Give the names of the factors that lead from a prediction to the answer, and the products.

    Parameters
    ----------
    part : PartToExplain
        Its answer has the quantity's shape.
    made : collection of str
        The mistakes that lead to the prediction.
    row : ndarray
        The prediction.
    """
    factors = [each for each in _factors(suspects, part.quantity) if not {*each[0]} & {*made}]
    products = np.array([factor for _, factor, _ in factors]).reshape(-1, 1) * row
    meets = np.abs(part.answer.ravel() - products) <= part.allowance.limits_for(products)
    found = map(int, np.flatnonzero(meets.all(axis=1)))
    return [(factors[index][0], products[index], factors[index][2]) for index in found]


def _find_others(suspects: Suspects, part: PartToExplain) -> Known:
    found: Known = []
    for mistake, transform in suspects.transforms:
        value = transform.apply(suspects.problem, part.quantity, part.truth, 1.0) if transform.is_other else None
        if value is not None and fit_shape(part.answer, value.shape) is not None:
            found.append(((mistake.name,), value.ravel(), 0))
    return found


def _factors(suspects: Suspects, quantity: Quantity) -> list[Factor]:
    """List the factors of a quantity that mistakes have, each with either sign; they are looked up once."""
    if quantity.key not in suspects.factors:
        suspects.factors[quantity.key] = _find_factors(suspects, quantity)
    return suspects.factors[quantity.key]


def _find_factors(suspects: Suspects, quantity: Quantity) -> list[Factor]:
    scenarios = suspects.scenarios
    reach, taken = scenarios.reach(quantity.key), {*scenarios.upstream(quantity.key), quantity.key}
    variants = (s for s in suspects.suspects if s.bit & reach and s.layer is None)
    named = [(s.mistake.name, _factor_of(suspects.problem, s.variant, taken), s.bit) for s in variants]
    named += [(m.name, t.factor(suspects.problem, quantity), 0) for m, t in suspects.transforms if t.factor]
    signed: list[Factor] = []
    for name, factor, bits in named:
        if factor is not None and factor > 0:
            signed += [((name,), factor, bits), (("sign_flipped", name), -factor, bits)]
    return signed


def _factor_of(problem: Problem, variant: Variant, taken: Collection[str]) -> float | None:
    """Return by what a variant multiplies the quantity that takes these steps; None if it does something else."""
    factor = 1.0
    for step in steps_of(structure_of(problem)):
        place = RuleContext(problem, step.number)
        for change in variant:
            if change.rule == step.rule.name and step.output in taken and change.where(place):
                exact = partial(step.rule.apply, place)
                if change.scales is not None:
                    factor *= change.scales
                elif step.output in DIVISORS:
                    factor *= float(exact()) / float(change.apply(exact, place))
                else:
                    return None
    return factor
