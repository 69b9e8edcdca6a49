"""Running the table with the exact rules, from the sources or from values given."""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from core.arrays import Array, is_finite, range_of
from core.budget import Budget, forward_operations
from core.errors import NonFiniteError, ShapeError, UnknownNameError, counted
from core.nodes import activations_node, parameters_of, shape_of
from core.problem import Problem
from core.quantities import public_name, to_quantity
from core.steps.backward import BACKWARD_RULES
from core.steps.fusion import FusedStep, fuse
from core.steps.loss import LOSS_RULES
from core.steps.rules import RuleContext, Structure
from core.steps.table import MAX_CACHED_DEPTH, Step, steps_of, structure_of

LOSS_OUTPUTS = frozenset(rule.output for rule in LOSS_RULES)


def evaluate(
    problem: Problem,
    wanted: Iterable[str],
    *,
    given: Mapping[str, Array] | None = None,
    budget: Budget | None = None,
) -> dict[str, Array]:
    """Compute quantities of a problem, and of the table only the steps that they need.

    Parameters
    ----------
    problem : Problem
    wanted : iterable of str
        Numbered names: ``"Z1"``, ``"L"``, ``"dL_dW2"``, ``"losses"``.
    given : mapping of str to ndarray, optional
        Values that are taken as they are, in place of what their step would compute; of its shape. What
        depends on activations that are given uses the textbook's form of its rule: they need not be those
        of the pre-activations.
    budget : Budget, optional
        What the computation may hold and do.

    Returns
    -------
    dict of str to ndarray
        The wanted quantities, in the order asked.

    Raises
    ------
    UnknownNameError
        If the problem has no such quantity.
    ShapeError
        If a given value has another shape than its quantity.
    TooLargeError
        If the steps hold more numbers, or take more work, than the budget allows.
    NonFiniteError
        If a step's result does not fit float64.
    """
    wanted, given, budget = tuple(wanted), given or {}, budget or Budget()
    structure = structure_of(problem)
    plan_of = _many_plans if structure.depth <= MAX_CACHED_DEPTH else _make_plan
    plan = plan_of(structure, wanted, frozenset(given))
    _require_shapes(problem, given)
    _require_work(problem, plan, budget)
    _require_room(problem, plan, budget)
    return _run(problem, plan, {**sources_of(problem), **given}, given)


@dataclass(frozen=True, eq=False)
class _Plan:
    """What is computed, and in which order: it depends on a problem's structure, not on its numbers."""

    wanted: tuple[str, ...]
    steps: tuple[Step, ...]
    fused: tuple[FusedStep, ...]
    # what is left to compute after each of those
    rests: tuple[frozenset[str], ...]
    used_up: Mapping[str, tuple[str, ...]]
    goes_back: bool


def _make_plan(structure: Structure, wanted: tuple[str, ...], given: frozenset[str]) -> _Plan:
    table = steps_of(structure)
    outputs = {step.output for step in table}
    sources = {name for step in table for name in step.inputs if name not in outputs}
    _require_names((*wanted, *given), sources | outputs)
    steps = needed_steps(table, wanted, sources | given)
    # a given value may be of complex numbers, or none that the kernels know
    fused = () if given else fuse(structure, steps, wanted)
    rests = [needed_steps(table, wanted, sources | given | set(step.outputs.values())) for step in fused]
    return _Plan(
        wanted=wanted,
        steps=steps,
        fused=fused,
        rests=tuple(frozenset(step.output for step in rest) for rest in rests),
        used_up=_used_up(steps, wanted),
        goes_back=any(step.rule in BACKWARD_RULES for step in steps),
    )


def _used_up(steps: Sequence[Step], wanted: Collection[str]) -> dict[str, tuple[str, ...]]:
    # what no later step takes: its memory, still in cache, is then there for the next array
    used_up, kept = {}, set(wanted)
    for step in reversed(steps):
        used_up[step.output] = tuple(set(step.inputs) - kept)
        kept |= set(step.inputs)
    return used_up


_many_plans = lru_cache(maxsize=256)(_make_plan)


def _run(problem: Problem, plan: _Plan, values: dict[str, Array], given: Collection[str]) -> dict[str, Array]:
    contexts = [RuleContext(problem, number) for number in range(problem.network.depth + 1)]
    applying = (
        pair for pair in zip(plan.fused, plan.rests, strict=True) if pair[0].rule.applies(contexts[pair[0].number])
    )
    waiting = {fused.start: (fused, rest) for fused, rest in applying}
    with np.errstate(over="ignore", invalid="ignore", divide="ignore", under="ignore"):
        needed: Collection[str] | None = None
        for step in plan.steps:
            if step.output in waiting:
                fused, rest = waiting[step.output]
                found = fused.compute(contexts[fused.number], values)
                if found is not None:
                    values |= found
                    needed = rest
            if step.output not in values and (needed is None or step.output in needed):
                from_outputs = step.rule.from_outputs if given and activations_node(step.number) in given else None
                value = (from_outputs or step.rule.apply)(
                    contexts[step.number], *[values[name] for name in step.inputs]
                )
                # what comes from conventions and targets alone has been checked with them
                if step.inputs:
                    require_finite(value, step, problem)
                values[step.output] = value
            for name in plan.used_up[step.output]:
                values.pop(name, None)
    return {name: values[name] for name in plan.wanted}


def needed_steps(steps: Sequence[Step], wanted: Iterable[str], given: Iterable[str]) -> tuple[Step, ...]:
    """Select the steps that lead from what is given to what is wanted.

    Parameters
    ----------
    steps : sequence of Step
        In order.
    wanted, given : iterable of str
        Numbered names.

    Returns
    -------
    tuple of Step
        In order.
    """
    given, missing, needed = set(given), set(wanted), []
    missing -= given
    for step in reversed(steps):
        if step.output in missing:
            needed.append(step)
            missing |= set(step.inputs) - given
    return tuple(reversed(needed))


def require_finite(value: Array, step: Step, problem: Problem) -> None:
    """Check that a step's result is a number everywhere.

    Raises
    ------
    NonFiniteError
        If it is not.
    """
    if not is_finite(value):
        name = "L" if step.output in LOSS_OUTPUTS else public_name(step.output, problem)
        raise NonFiniteError(
            f"{name}, or a number on the way to it, does not fit {range_of(problem.dtype)}: "
            f"it comes from {step.rule.text}; {step.rule.advice}"
        )


def _require_names(wanted: Iterable[str], names: Collection[str]) -> None:
    for name in wanted:
        if name not in names:
            raise UnknownNameError(f"the problem has no {name}; L and its derivatives need targets and loss")


def _require_shapes(problem: Problem, given: Mapping[str, Array]) -> None:
    for name, value in given.items():
        needed = _shape_of_step(name, problem)
        if value.shape != needed:
            raise ShapeError(f"{name} is given with shape {value.shape}, its quantity has {needed}")


def _shape_of_step(name: str, problem: Problem) -> tuple[int, ...]:
    intermediates = {"losses": (problem.n_samples,), "y": (problem.n_samples, problem.n_out)}
    if name in intermediates:
        return intermediates[name]
    return () if name in LOSS_OUTPUTS else shape_of(to_quantity(name).node, problem)


def sources_of(problem: Problem) -> dict[str, Array]:
    """Return what a problem's steps start from: its inputs, weights and biases.

    Parameters
    ----------
    problem : Problem

    Returns
    -------
    dict of str to ndarray
        By numbered names.
    """
    return {"X": problem.inputs, **parameters_of(problem.network)}


def _require_work(problem: Problem, plan: _Plan, budget: Budget) -> None:
    forward = forward_operations(problem.network, problem.n_samples)
    if plan.goes_back:
        budget.require_operations(3 * forward, "a forward and a backward pass")
    elif plan.steps:
        budget.require_operations(forward, "a forward pass")


def _require_room(problem: Problem, plan: _Plan, budget: Budget) -> None:
    # five arrays a layer have a number per sample and output, the rest is parameters: few problems come near the limit
    widths, n_samples = problem.network.widths, problem.n_samples
    if n_samples * (5 * sum(widths) + 1) + problem.network.sample_operations <= budget.numbers:
        return
    shapes = [shape for step in plan.steps if (shape := _shape_of_step(step.output, problem))]
    budget.require_numbers(
        sum(math.prod(shape) for shape in shapes),
        f"{len(shapes)} arrays for {counted(n_samples, 'sample')} and up to {counted(max(widths), 'output')} a layer",
    )
