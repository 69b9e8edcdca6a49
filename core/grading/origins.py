"""Where on the way to a quantity a mistake is made: of several that give the same numbers, the nearest is named."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from core.jacobians.paths import path_between
from core.mistakes import Variant
from core.problem import Problem
from core.quantities import to_quantity
from core.steps import RULES, Change, RuleContext, fill, steps_of, structure_of


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


def find_origin(problem: Problem, variant: Variant, key: str, upstream: Collection[str]) -> Origin | None:
    """Find where on the way to a quantity a mistake is first made.

    Parameters
    ----------
    problem : Problem
    variant : tuple of Change
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
    table = (step.output for step in steps_of(structure_of(problem)))
    order = [name for name in table if not name.startswith("dL") and name in taken]
    if quantity.by is not None:
        of = f"A{problem.network.depth}" if quantity.of == "L" else quantity.of
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
