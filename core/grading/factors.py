"""Factors that have a name in a problem: the number of samples for a forgotten mean, ln 2 for another logarithm."""

from collections.abc import Collection
from functools import partial

from core.arrays import Array
from core.grading.matches import Target
from core.grading.shapes import fit_shape
from core.grading.suspects import Factor, Suspects
from core.mistakes import Way
from core.problem import Problem
from core.quantities import Quantity
from core.steps import Place, steps_of, structure_of

DIVISORS = frozenset({"divisor", "unit"})
"""The constants of the table that the losses are divided by."""


def find_factors(suspects: Suspects, quantity: Quantity) -> list[Factor]:
    """List the factors of a quantity that mistakes have, each with either sign.

    Parameters
    ----------
    suspects : Suspects
    quantity : Quantity

    Returns
    -------
    list of Factor
    """
    if quantity.key not in suspects.factors:
        suspects.factors[quantity.key] = _find_factors(suspects, quantity)
    return suspects.factors[quantity.key]


def _find_factors(suspects: Suspects, quantity: Quantity) -> list[Factor]:
    scenarios = suspects.scenarios
    reach, taken = scenarios.reach(quantity.key), {*scenarios.upstream(quantity.key), quantity.key}
    ways = (s for s in suspects.suspects if s.bit & reach and s.layer is None)
    named = [(s.mistake.name, _factor_of(suspects.problem, s.way, taken)) for s in ways]
    named += [(m.name, t.factor(suspects.problem, quantity)) for m, t in suspects.transforms if t.factor]
    signed: list[Factor] = []
    for name, factor in dict.fromkeys(named):
        if factor is not None and factor > 0:
            signed += [((name,), factor), (("sign_flipped", name), -factor)]
    return signed


def find_others(suspects: Suspects, target: Target) -> list[tuple[tuple[str, ...], Array]]:
    """List what may be handed in in place of a quantity, of the answer's shape.

    Parameters
    ----------
    suspects : Suspects
    target : Target

    Returns
    -------
    list of tuple of tuple of str and ndarray
        The mistake, and the numbers in a row.
    """
    found: list[tuple[tuple[str, ...], Array]] = []
    for mistake, transform in suspects.transforms:
        value = transform.apply(suspects.problem, target.quantity, target.truth, 1.0) if transform.is_other else None
        if value is not None and fit_shape(target.answer, value.shape) is not None:
            found.append(((mistake.name,), value.ravel()))
    return found


def _factor_of(problem: Problem, way: Way, taken: Collection[str]) -> float | None:
    """Return by what a way multiplies the quantity that takes these steps; None if it does something else."""
    factor = 1.0
    for step in steps_of(structure_of(problem)):
        place = Place(problem, step.number)
        for change in way:
            if change.rule == step.rule.name and step.output in taken and change.where(place):
                exact = partial(step.rule.apply, place)
                if change.scales is not None:
                    factor *= change.scales
                elif step.output in DIVISORS:
                    factor *= float(exact()) / float(change.apply(exact, place))
                else:
                    return None
    return factor
