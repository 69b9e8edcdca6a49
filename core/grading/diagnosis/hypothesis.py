"""What is explained, and by what: an answer to one quantity, and mistakes whose prediction it meets.

Of several hypotheses that give the same numbers, the one is named whose mistakes are made nearest to the quantity.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from core.arrays import Array
from core.conventions import Switch
from core.grading.allowance import Allowance
from core.grading.shapes import fit_shape
from core.jacobians.paths import path_between
from core.mistakes import MISTAKES, PRECEDENCE, Variant
from core.nodes import output_node
from core.problem import Problem
from core.quantities import Quantity, to_quantity
from core.scenarios import Selection
from core.steps import BACKWARD_RULES, RULES, Change, RuleContext, fill, steps_of, structure_of

SAME_WITHIN = 1e-9
"""Two predictions that differ by less, as a part of their size, are the same numbers."""


@dataclass(frozen=True, eq=False)
class PartToExplain:
    """One answer to explain.

    Parameters
    ----------
    answer : ndarray
        In whatever shape.
    """

    quantity: Quantity
    truth: Array
    answer: Array
    allowance: Allowance

    @property
    def key(self) -> str:
        """The quantity's numbered id."""
        return self.quantity.key

    @cached_property
    def own(self) -> Array | None:
        """The answer in the quantity's shape; None where it has another."""
        return fit_shape(self.answer, self.truth.shape)

    @cached_property
    def is_right(self) -> bool:
        """Whether every entry is within the limits."""
        return self.own is not None and bool((np.abs(self.own - self.truth) <= self.allowance.limits).all())

    def is_met(self, prediction: Array) -> bool:
        """Tell whether the answer is a prediction, to within rounding."""
        answer = fit_shape(self.answer, prediction.shape)
        if answer is None or not np.isfinite(prediction).all():
            return False
        return self.allowance.lets_pass(answer, prediction)


@dataclass(frozen=True, slots=True)
class Origin:
    """The first step on the way to a quantity that a mistake changes.

    Parameters
    ----------
    rank : int
        Its place in the order of the steps.
    step : str or None
        The numbered id of the step. None where a later step may have it as well: a factor, or a constant
        that several steps take.
    """

    rank: int
    step: str | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Hypothesis:
    """One explanation of an answer.

    Parameters
    ----------
    names : tuple of str
        Its mistakes.
    switches : mapping of str to Switch
        The conventions under which some of them are none.
    selection : Selection
        Its variants.
    prediction : ndarray
        What it predicts, flat.
    distance : float
        Euclidean distance from the answer.
    origins : mapping of str to Origin
        Where each mistake is made; without those that are made with the finished answer.
    """

    names: tuple[str, ...]
    switches: Mapping[str, Switch]
    selection: Selection
    prediction: Array
    distance: float
    origins: Mapping[str, Origin]

    @property
    def precedence(self) -> tuple[int, list[float], list[int]]:
        """What sorts matches of the same numbers: the simplest first, then the nearest, then the registry's order.

        A mistake is the nearer, the later on the way to the quantity it is made; with the finished answer last.
        """
        ranks = sorted(self.origins[name].rank if name in self.origins else _rank_of(name) for name in self.names)
        return len(self.names), [-rank for rank in ranks], [PRECEDENCE[name] for name in self.names]


def _rank_of(name: str) -> float:
    # that a factor is as large as some size of the problem says less than any step
    return -1.0 if any(transform.factor for transform in MISTAKES[name].transforms) else math.inf


def same_numbers(one: Array, other: Array, size: float) -> bool:
    """Tell whether two predictions are the same numbers.

    Parameters
    ----------
    one, other : ndarray
        Of one shape.
    size : float
        The size of the truth; predictions that are nothing beside it are both 0.
    """
    size = max(size, float(np.abs(one).max()), float(np.abs(other).max()))
    return bool(np.abs(one - other).max() <= SAME_WITHIN * size)


def find_origin(problem: Problem, variant: Variant, key: str, upstream: Collection[str]) -> Origin | None:
    """Find where on the way to a quantity a mistake is first made.

    Parameters
    ----------
    key : str
        The quantity's numbered id.
    upstream : collection of str
        What the quantity is computed from.

    Returns
    -------
    Origin or None
        None for a variant that changes nothing before the quantity.
    """
    taken = {*upstream, key}
    order = _order_steps(problem, key, taken)
    found = [origin for change in variant for origin in _changed(problem, change, order, taken)]
    return min(found, key=lambda origin: origin.rank, default=None)


def _order_steps(problem: Problem, key: str, taken: Collection[str]) -> list[str]:
    """Order the steps to a quantity: forward, loss, then down the chain, each local Jacobian before its product."""
    quantity = to_quantity(key)
    steps = steps_of(structure_of(problem))
    order = [step.output for step in steps if step.rule not in BACKWARD_RULES and step.output in taken]
    if quantity.by is not None:
        of = output_node(problem.network) if quantity.is_gradient else quantity.of
        order.append(f"dL_d{of}")
        for link in path_between(problem, of, quantity.by):
            order += [link.key, f"dL_d{link.by}"]
    return order


def _changed(problem: Problem, change: Change, order: Sequence[str], taken: Collection[str]) -> list[Origin]:
    structure = structure_of(problem)
    if change.rule not in RULES:
        layers = range(1, problem.network.depth + 1)
        places = [number for number in layers if change.where(RuleContext(problem, number))]
        names = [fill(change.rule, number, structure)[0] for number in places]
        return [Origin(order.index(name), name) for name in names if name in order]
    found = []
    for step in steps_of(structure):
        if step.rule.name == change.rule and change.where(RuleContext(problem, step.number)):
            is_constant = not step.inputs
            # a constant counts where it is first taken
            users = (other.output for other in steps_of(structure) if step.output in other.inputs)
            names = [name for name in users if name in taken] if is_constant else [step.output]
            names = [name for name in names if name in order]
            is_anywhere = is_constant or change.scales is not None
            found += [Origin(order.index(name), None if is_anywhere else name) for name in names[:1]]
    return found
