"""Steps that one kernel computes at once: a faster reading of the table, not another one.

Where nobody asks for what lies between, the kernel's results stand in for those of the steps. The steps'
own rules stay the definition: they run wherever the kernel does not apply, or meets a number that is not
finite, so that refusals are theirs; and tests compare the two.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from core.arrays import Array, is_finite
from core.conventions import LOG_BASES, REDUCTIONS
from core.kernels.outer_product import compute_outer_product
from core.kernels.softmax_cross_entropy import (
    MAX_CLASSES_ON_SLOW_AXIS,
    MAX_PLAIN_EXPONENT,
    compute_gradient_of_few,
    compute_logits,
    find_largest_size,
    losses_of,
    to_unscaled_gradient,
)
from core.problem import Problem, Traits
from core.steps.context import RuleContext, Structure
from core.steps.loss import bias_l2_coefficient_of, l2_coefficient_of
from core.steps.table import Step, fill

MIN_LOGITS_FOR_PASSES = 256
"""From here on the passes over the logits take longer than the calls that make them."""

MAX_ACCURATE_LOSS = 80.0
"""Above this loss in nats the probability of the target may have few digits left, and a quotient by it fewer."""

LOGS_OF_BASES = {name: math.log(base) for name, base in LOG_BASES.items()}

CALLER = ""
"""Stands among the names of the steps that take a quantity, where the caller wants the quantity itself."""

Found = Mapping[str, Array] | None


@dataclass(frozen=True, kw_only=True, eq=False)
class FusedRule:
    """How one kernel computes the results of several rules.

    Parameters
    ----------
    name : str
    inputs : tuple of str
        Templates of what it takes.
    outputs : tuple of str
        Templates of what it computes.
    hidden : tuple of str
        Templates of what it does not compute, though the rules would on the way.
    is_repeated : bool
        Whether it stands in at every layer, rather than at the last one.
    applies : callable
        ``applies(traits)``: whether it computes what the rules do, and faster.
    apply : callable
        ``apply(wanted, problem, *inputs)`` gives the wanted outputs by template, and maybe others; None where one of
        their numbers, or one on the way to them, is not finite, or may have lost digits.
    """

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    hidden: tuple[str, ...] = ()
    is_repeated: bool = False
    applies: Callable[[Traits], bool]
    apply: Callable[..., Found]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FusedStep:
    """A fused rule in a problem's table, in place of the steps that it makes needless.

    Parameters
    ----------
    rule : FusedRule
    number : int
        The layer at hand.
    inputs : tuple of str
        Numbered names of what it takes.
    outputs : mapping of str to str
        Numbered names of what is needed of it, by template.
    replaced : frozenset of str
        Numbered names of what its steps compute, needed or not.
    """

    rule: FusedRule
    number: int
    inputs: tuple[str, ...]
    outputs: Mapping[str, str]
    replaced: frozenset[str]


def fuse(traits: Traits, structure: Structure, steps: Sequence[Step], wanted: Collection[str]) -> tuple[FusedStep, ...]:
    """Find the fused rules that can stand in for steps.

    Parameters
    ----------
    traits : Traits
    structure : Structure
    steps : sequence of Step
        Those that are needed.
    wanted : collection of str
        Numbered names that have to be computed themselves.

    Returns
    -------
    tuple of FusedStep
        No two of which compute the same.
    """
    by_output, found = {step.output: step for step in steps}, list[FusedStep]()
    takers = defaultdict[str, set[str]](set, {name: {CALLER} for name in wanted})
    for step in steps:
        for name in step.inputs:
            takers[name].add(step.output)
    for rule in FUSED_RULES:
        if rule.applies(traits):
            for layer in range(1 if rule.is_repeated else structure.depth, structure.depth + 1):
                fused = _stand_in(rule, layer, structure, by_output, takers)
                if fused:
                    found.append(fused)
                    for name in fused.replaced & by_output.keys():
                        for taken in by_output.pop(name).inputs:
                            takers[taken].discard(name)
                    for name in fused.inputs:
                        takers[name].add(rule.name)
    return tuple(found)


def _stand_in(
    rule: FusedRule, layer: int, structure: Structure, computed: Collection[str], takers: Mapping[str, set[str]]
) -> FusedStep | None:
    def named(templates: tuple[str, ...]) -> dict[str, str]:
        return {template: name for template in templates for name in fill(template, layer, structure)}

    hidden, outputs = frozenset(named(rule.hidden).values()), named(rule.outputs)
    replaced = hidden.union(outputs.values())
    needed = {template: name for template, name in outputs.items() if name in computed and takers[name] - replaced}
    # all that it leaves out has to be needed, on the way to its own outputs only
    if not needed or not all(name in computed and takers[name] <= replaced for name in hidden):
        return None
    inputs = tuple(named(rule.inputs).values())
    return FusedStep(rule=rule, number=layer, inputs=inputs, outputs=needed, replaced=replaced)


# plain numbers: they leave float32 as it is, and cost less than arrays without axes
def _log_of_base(problem: Problem) -> float:
    return LOGS_OF_BASES[problem.conventions.log_base]


def _divisor_of_gradient(problem: Problem) -> float:
    divisor = REDUCTIONS[problem.conventions.reduction](len(problem.inputs), problem.n_out)
    return divisor * _log_of_base(problem)


def _is_labelled(traits: Traits) -> bool:
    return traits.loss == "cross_entropy" and traits.has_labels


LOSS_TEMPLATES = frozenset({"losses", "L"})
GRADIENT_PRODUCTS = ("dL_dW{l}", "dL_db{l}?", "dL_dA{l-1}")


def _softmax_cross_entropy(
    wanted: frozenset[str], problem: Problem, inputs: Array, weights: Array, bias: Array | None = None
) -> Found:
    has_few = len(inputs) * weights.shape[1] < MIN_LOGITS_FOR_PASSES
    found = (_few_logits if has_few else _many_logits)(wanted, problem, inputs, weights, bias)
    if found is None:
        return None
    if problem.traits.has_penalty:
        context = RuleContext(problem, problem.network.depth)
        if "dL_dW{l}" in found:
            found["dL_dW{l}"] += l2_coefficient_of(context) * weights
        if bias is not None and "dL_db{l}?" in found:
            found["dL_db{l}?"] += bias_l2_coefficient_of(context) * bias
    # what became of finite logits is finite until it is multiplied by what is given
    for template in GRADIENT_PRODUCTS:
        if template in found and not is_finite(found[template]):
            return None
    return found


def _few_logits(
    wanted: frozenset[str], problem: Problem, inputs: Array, weights: Array, bias: Array | None
) -> dict[str, Array] | None:
    logits, divisor = inputs @ weights, _divisor_of_gradient(problem)
    if bias is not None:
        logits += bias
    made = compute_gradient_of_few(logits, np.asarray(problem.targets), divisor)
    if made is None:
        return None
    grad, own, others = made
    found = dict[str, Array]()
    if not wanted.isdisjoint(LOSS_TEMPLATES):
        # ln(1/p) = ln(1 + others/own), of which a sure prediction keeps every digit
        losses = np.log1p(np.divide(others, own)).astype(grad.dtype).reshape(-1)
        numbers = losses.tolist()
        if not max(numbers) <= MAX_ACCURATE_LOSS:
            return None
        found["L"] = np.array(sum(numbers) / divisor, losses.dtype)
        if "losses" in wanted:
            found["losses"] = losses / _log_of_base(problem)
    if "dL_dW{l}" in wanted:
        found["dL_dW{l}"] = inputs.T @ grad
    if "dL_db{l}?" in wanted:
        found["dL_db{l}?"] = np.add.reduce(grad, 0)
    if "dL_dA{l-1}" in wanted:
        found["dL_dA{l-1}"] = grad @ weights.T
    return found


def _many_logits(
    wanted: frozenset[str], problem: Problem, inputs: Array, weights: Array, bias: Array | None
) -> dict[str, Array] | None:
    labels, log_of_base = np.asarray(problem.targets), _log_of_base(problem)
    logits = compute_logits(inputs, weights, bias)
    largest = find_largest_size(logits)
    if not math.isfinite(largest):
        return None
    target_shifts = None if wanted.isdisjoint(LOSS_TEMPLATES) else np.empty(len(logits), logits.dtype)
    sums = to_unscaled_gradient(logits, labels, target_shifts, is_shifted=largest > MAX_PLAIN_EXPONENT)
    found = dict[str, Array]()
    if target_shifts is not None:
        found["losses"] = losses_of(logits, labels, sums, target_shifts) / log_of_base
        found["L"] = np.asarray(found["losses"].sum() / (_divisor_of_gradient(problem) / log_of_base))
        if not is_finite(found["L"]):
            return None
    sums *= _divisor_of_gradient(problem)
    # dL/dZ = unscaled gradient / sums, row by row; of many classes only what is multiplied by it is scaled
    is_scaled = logits.shape[1] <= MAX_CLASSES_ON_SLOW_AXIS
    if is_scaled:
        logits /= sums[:, None]
    if "dL_dW{l}" in wanted:
        scaled = inputs if is_scaled else inputs / sums[:, None]
        found["dL_dW{l}"] = scaled.T.dot(logits)
    if "dL_db{l}?" in wanted:
        found["dL_db{l}?"] = logits.sum(axis=0) if is_scaled else (1.0 / sums).dot(logits)
    if "dL_dA{l-1}" in wanted:
        grad_inputs = logits.dot(weights.T)
        found["dL_dA{l-1}"] = grad_inputs if is_scaled else np.divide(grad_inputs, sums[:, None], out=grad_inputs)
    return found


def _has_no_penalty(traits: Traits) -> bool:
    return not traits.has_penalty


def _grad_weights(wanted: frozenset[str], problem: Problem, inputs: Array, grad: Array) -> Found:
    if len(inputs) == 1:
        outer = compute_outer_product(inputs, grad)
        return None if outer is None else {"dL_dW{l}": outer}
    product = inputs.T @ grad
    return {"dL_dW{l}": product} if is_finite(product) else None


def _grad_bias(wanted: frozenset[str], problem: Problem, grad: Array) -> Found:
    total = np.add.reduce(grad, 0)
    return {"dL_db{l}": total} if is_finite(total) else None


def _fused_softmax_cross_entropy(name: str, *outputs: str, applies: Callable[[Traits], bool]) -> FusedRule:
    return FusedRule(
        name=name,
        inputs=("A{l-1}", "W{l}", "b{l}?"),
        hidden=("Z{l}", "A{l}", "y", "dL_dZ{l}"),
        outputs=(*outputs, "losses", *GRADIENT_PRODUCTS),
        applies=applies,
        apply=_softmax_cross_entropy,
    )


FUSED_RULES = (
    _fused_softmax_cross_entropy(
        "softmax_cross_entropy", "L", applies=lambda traits: _is_labelled(traits) and not traits.has_penalty
    ),
    # the penalty is one of all layers' parameters
    _fused_softmax_cross_entropy(
        "softmax_cross_entropy_with_penalty", applies=lambda traits: _is_labelled(traits) and traits.has_penalty
    ),
    # without a penalty its coefficients need not be computed, nor looked at
    FusedRule(
        name="grad_weights_without_penalty",
        inputs=("A{l-1}", "dL_dZ{l}"),
        outputs=("dL_dW{l}",),
        is_repeated=True,
        applies=_has_no_penalty,
        apply=_grad_weights,
    ),
    FusedRule(
        name="grad_bias_without_penalty",
        inputs=("dL_dZ{l}",),
        outputs=("dL_db{l}",),
        is_repeated=True,
        applies=_has_no_penalty,
        apply=_grad_bias,
    ),
)
