"""Running the table with the exact rules, from the sources or from values given.

A plan lists the calls; this module makes them. Changed rules have an engine of their own in `core.scenarios`: it keeps
each value under each selection of variants, and stacks what takes the same rule, where a plan forgets what is used up.
For all gradients of a 3-5-4 network at four samples a plan takes 27 µs (64 µs step by step), and that engine 168 µs,
44 of which go into its graph: so it does not serve here, and a plan has nothing to share between selections there.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from contextvars import copy_context

import numpy as np

from core.arrays import Array, is_finite, range_of
from core.budget import Budget, forward_operations
from core.errors import NonFiniteError, ShapeError, counted
from core.nodes import parameters_of, shape_of
from core.problem import Problem
from core.quantities import public_name, to_quantity
from core.steps.context import RuleContext
from core.steps.loss import LOSS_RULES
from core.steps.plan import Call, Plan, plan_of
from core.steps.table import Step

LOSS_OUTPUTS = frozenset(rule.output for rule in LOSS_RULES)

DEFAULT_BUDGET = Budget()

NO_NAMES = frozenset[str]()

QUIET = copy_context()
QUIET.run(np.seterr, all="ignore")


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
    wanted, given = tuple(wanted), given or {}
    plan = plan_of(problem, wanted, frozenset(given) if given else NO_NAMES)
    if given:
        _require_shapes(problem, given)
    _require_budget(problem, plan, budget or DEFAULT_BUDGET)
    # a context that ignores overflow costs a tenth of what np.errstate does
    return QUIET.copy().run(_run, problem, plan, given)


def _run(problem: Problem, plan: Plan, given: Mapping[str, Array]) -> dict[str, Array]:
    values = _call_all(plan.calls, problem, plan, given) or _call_all(plan.steps, problem, plan, given)
    return {name: values[name] for name in plan.wanted}


def _call_all(calls: Sequence[Call], problem: Problem, plan: Plan, given: Mapping[str, Array]) -> dict[str, Array]:
    layers, contexts = problem.network.layers, dict[int, RuleContext]()
    values = {"X": problem.inputs, **given}
    for name, index, field in plan.parameters:
        values[name] = getattr(layers[index], field)
    for apply, number, inputs, step, outputs, is_checked, used_up in calls:
        taken = map(values.__getitem__, inputs)
        if step is None:
            found = apply(problem, *taken)
            if found is None:
                return {}
            for template, name in outputs:
                values[name] = found[template]
        else:
            context = contexts.get(number)
            if context is None:
                contexts[number] = context = RuleContext(problem, number)
            values[step.output] = value = apply(context, *taken)
            if is_checked and not is_finite(value):
                if calls is plan.steps:
                    raise _refusal(step, problem)
                # an earlier result may not be finite either: step by step its name is found
                return {}
        for name in used_up:
            del values[name]
    return values


def _refusal(step: Step, problem: Problem) -> NonFiniteError:
    name = "L" if step.output in LOSS_OUTPUTS else public_name(step.output, problem)
    return NonFiniteError(
        f"{name}, or a number on the way to it, does not fit {range_of(problem.dtype)}: "
        f"it comes from {step.rule.text}; {step.rule.advice}"
    )


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


def _require_budget(problem: Problem, plan: Plan, budget: Budget) -> None:
    network, n_samples, widths = problem.network, len(problem.inputs), problem.network.widths
    operations = plan.n_passes * forward_operations(network, n_samples)
    if operations > budget.operations:
        budget.require_operations(
            operations, "a forward and a backward pass" if plan.n_passes > 1 else "a forward pass"
        )
    # five arrays a layer have a number per sample and output, the rest is parameters: few problems come near the limit
    if n_samples * (5 * sum(widths) + 1) + network.sample_operations <= budget.numbers:
        return
    shapes = [shape for call in plan.steps if call.step and (shape := _shape_of_step(call.step.output, problem))]
    budget.require_numbers(
        sum(math.prod(shape) for shape in shapes),
        f"{len(shapes)} arrays for {counted(n_samples, 'sample')} and up to {counted(max(widths), 'output')} a layer",
    )
