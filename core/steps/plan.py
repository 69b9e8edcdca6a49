"""What is computed for given names and in which order: worked out once for all problems of the same traits."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import chain
from typing import Any, NamedTuple

from core.errors import UnknownNameError
from core.nodes import activations_node, split_node
from core.problem import Problem, Traits
from core.steps.backward import BACKWARD_RULES
from core.steps.fusion import FusedStep, fuse
from core.steps.table import MAX_CACHED_DEPTH, Step, steps_of, structure_with

CARRIED = {"affine": 0, "activation_gradient": 0, "grad_weights": 1, "grad_bias": 0, "grad_inputs": 0}
"""By rule, which input it only multiplies and adds up: where that is not finite, neither is the result."""


Row = Step | FusedStep


class Call(NamedTuple):
    """One call on the way: a step's rule, or a fused one in the place of several steps.

    Parameters
    ----------
    apply : callable
        ``apply(context, *inputs)``; for a fused rule ``apply(problem, *inputs)``.
    number : int
        The layer at hand.
    inputs : tuple of str
        Numbered names of what it takes.
    step : Step or None
        None for a fused rule.
    outputs : tuple of pair of str
        A fused rule's results that are needed: the template and the numbered name of each.
    is_checked : bool
        Whether a result that is not finite is looked for; a fused rule always does so.
    used_up : tuple of str
        What no later call takes: its memory, still in cache, is then there for the next array.
    """

    apply: Callable[..., Any]
    number: int
    inputs: tuple[str, ...]
    step: Step | None
    outputs: tuple[tuple[str, str], ...]
    is_checked: bool
    used_up: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """The calls that compute what is wanted from what is there; it depends on traits, not on numbers.

    Parameters
    ----------
    wanted : tuple of str
    parameters : tuple of tuple of str, int and str
        What it starts from beside the inputs and what is given: the name, the layer's index and its field.
    calls : tuple of Call
        The fast way: fused rules, and no check of a result from which another would not be finite either.
    steps : tuple of Call
        Step by step, each checked: what tells which result is the first that is not finite.
    n_passes : int
        What it takes, in forward passes: a backward pass takes two.
    """

    wanted: tuple[str, ...]
    parameters: tuple[tuple[str, int, str], ...]
    calls: tuple[Call, ...]
    steps: tuple[Call, ...]
    n_passes: int


def plan_of(problem: Problem, wanted: tuple[str, ...], given: frozenset[str]) -> Plan:
    """Plan how quantities of a problem are computed.

    Parameters
    ----------
    problem : Problem
    wanted : tuple of str
        Numbered names.
    given : frozenset of str
        Numbered names of what need not be computed.

    Returns
    -------
    Plan

    Raises
    ------
    UnknownNameError
        If the problem has no such quantity.
    """
    traits = problem.traits
    return (_many_plans if len(traits.biases) <= MAX_CACHED_DEPTH else _few_plans)(traits, wanted, given)


def _make_plan(traits: Traits, wanted: tuple[str, ...], given: frozenset[str]) -> Plan:
    structure = structure_with(traits)
    table = steps_of(structure)
    computed = {step.output for step in table}
    sources = {name for step in table for name in step.inputs} - computed
    _require_names((*wanted, *given), sources | computed)
    known = sources | given
    steps = needed_steps(table, wanted, known)
    # a given value may be of complex numbers, or none that the kernels know
    fused = () if given else fuse(traits, structure, steps, wanted)
    rows = _put_in_place(fused, steps, wanted, known)
    taken = {name for step in steps for name in step.inputs}.union(wanted)
    return Plan(
        wanted=wanted,
        parameters=tuple(
            (name, number - 1, symbol.parameter)
            for name in sources.difference(given).intersection(taken)
            for symbol, number in [split_node(name)]
            if symbol.parameter
        ),
        calls=_calls(rows, wanted, given, unchecked=_carried(rows).difference(wanted)),
        steps=_calls(steps, wanted, given, unchecked=frozenset()),
        n_passes=3 if any(step.rule in BACKWARD_RULES for step in steps) else min(1, len(steps)),
    )


_many_plans = lru_cache(maxsize=512)(_make_plan)
_few_plans = lru_cache(maxsize=2)(_make_plan)


def _put_in_place(
    fused: Sequence[FusedStep], steps: Sequence[Step], wanted: tuple[str, ...], known: Collection[str]
) -> list[Row]:
    taken = [name for one in fused for name in one.inputs]
    known = {*known, *(name for one in fused for name in one.outputs.values())}
    rest = {step.output for step in needed_steps(steps, (*wanted, *taken), known)}
    standing_in = {name: one for one in fused for name in one.replaced}
    rows, placed = list[Row](), set[FusedStep]()
    for step in steps:
        one = standing_in.get(step.output)
        if one and one not in placed:
            # where the first of its steps was: what it takes has been computed by then
            rows.append(one)
            placed.add(one)
        if step.output in rest:
            rows.append(step)
    return rows


def _carried(rows: Iterable[Row]) -> frozenset[str]:
    # a fused rule takes nothing that is not finite
    named = (
        row.inputs if isinstance(row, FusedStep) else row.inputs[CARRIED[row.rule.name] :][:1]
        for row in rows
        if isinstance(row, FusedStep) or row.rule.name in CARRIED
    )
    return frozenset(chain.from_iterable(named))


def _calls(
    rows: Sequence[Row], wanted: Collection[str], given: Collection[str], *, unchecked: Collection[str]
) -> tuple[Call, ...]:
    calls, kept = list[Call](), set(wanted)
    for row in reversed(rows):
        used_up = tuple(set(row.inputs) - kept) if calls else ()
        kept.update(row.inputs)
        if isinstance(row, FusedStep):
            fused = partial(row.rule.apply, frozenset(row.outputs))
            calls.append(
                Call(
                    apply=fused,
                    number=row.number,
                    inputs=row.inputs,
                    step=None,
                    outputs=tuple(row.outputs.items()),
                    is_checked=True,
                    used_up=used_up,
                )
            )
        else:
            from_outputs = row.rule.from_outputs if activations_node(row.number) in given else None
            # what comes from conventions and targets alone has been checked with them
            is_checked = bool(row.inputs) and row.output not in unchecked
            apply = from_outputs or row.rule.apply
            calls.append(Call(apply, row.number, row.inputs, row, (), is_checked, used_up))
    return tuple(reversed(calls))


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


def _require_names(wanted: Iterable[str], names: Collection[str]) -> None:
    for name in wanted:
        if name not in names:
            raise UnknownNameError(f"the problem has no {name}; L and its derivatives need targets and loss")
