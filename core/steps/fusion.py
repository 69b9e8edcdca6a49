"""Steps that one kernel computes at once: a faster reading of the table, not another one.

Where nobody asks for what lies between, the kernel's results stand in for those of the steps. The steps'
own rules stay the definition: they run wherever the kernel does not apply, or meets a number that is not
finite, so that refusals are theirs; and tests compare the two.
"""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from core.arrays import Array, is_finite
from core.conventions import LOG_BASES, REDUCTIONS
from core.kernels.outer_product import compute_outer_product
from core.kernels.softmax_cross_entropy import (
    MAX_CLASSES_ON_SLOW_AXIS,
    MAX_PLAIN_EXPONENT,
    compute_logits,
    find_largest_size,
    losses_of,
    split_powers,
    to_unscaled_gradient,
)
from core.problem import Problem, Traits
from core.steps.loss import bias_l2_coefficient_of, l2_coefficient_of
from core.steps.rules import RuleContext, Structure
from core.steps.table import Step, fill

MAX_ACCURATE_LOSS = 80.0
"""Above this loss in nats the probability of the target may have few digits left, and a quotient by it fewer."""

LOGS_OF_BASES = {name: math.log(base) for name, base in LOG_BASES.items()}

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


@dataclass(frozen=True, slots=True, kw_only=True)
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
    rest, found = list(steps), []
    for rule in FUSED_RULES:
        if rule.applies(traits):
            for layer in range(1 if rule.is_repeated else structure.depth, structure.depth + 1):
                fused = _stand_in(rule, layer, structure, rest, wanted)
                if fused:
                    found.append(fused)
                    rest = [step for step in rest if step.output not in fused.replaced]
    return tuple(found)


def _stand_in(
    rule: FusedRule, layer: int, structure: Structure, steps: Sequence[Step], wanted: Collection[str]
) -> FusedStep | None:
    def named(templates: tuple[str, ...]) -> dict[str, str]:
        return {template: name for template in templates for name in fill(template, layer, structure)}

    hidden, outputs = frozenset(named(rule.hidden).values()), named(rule.outputs)
    computed, replaced = {step.output for step in steps}, hidden.union(outputs.values())
    elsewhere = {name for step in steps if step.output not in replaced for name in step.inputs}.union(wanted)
    outputs = {template: name for template, name in outputs.items() if name in computed & elsewhere}
    # all that it leaves out has to be needed, on the way to its own outputs only
    if not outputs or not hidden <= computed - elsewhere:
        return None
    inputs = tuple(named(rule.inputs).values())
    return FusedStep(rule=rule, number=layer, inputs=inputs, outputs=outputs, replaced=replaced)


def _divisor_and_log(problem: Problem) -> tuple[float, float]:
    # plain numbers: they leave float32 as it is, and cost less than arrays without axes
    conventions = problem.conventions
    divisor = REDUCTIONS[conventions.reduction](problem.n_samples, problem.n_out)
    return float(divisor), LOGS_OF_BASES[conventions.log_base]


def _has_many_labelled(traits: Traits) -> bool:
    return traits.loss == "cross_entropy" and traits.has_labels and not traits.has_few_outputs


def _many_outputs(
    wanted: frozenset[str], problem: Problem, inputs: Array, weights: Array, bias: Array | None = None
) -> Found:
    labels, (divisor, log_of_base) = np.asarray(problem.targets), _divisor_and_log(problem)
    logits = compute_logits(inputs, weights, bias)
    largest = find_largest_size(logits)
    if not math.isfinite(largest):
        return None
    target_shifts = np.empty(len(logits), logits.dtype) if "losses" in wanted else None
    sums = to_unscaled_gradient(logits, labels, target_shifts, is_shifted=largest > MAX_PLAIN_EXPONENT)
    found: dict[str, Array] = {}
    if target_shifts is not None:
        found["losses"] = losses_of(logits, labels, sums, target_shifts) / log_of_base
    sums *= divisor * log_of_base
    # dL/dZ = unscaled gradient / sums, row by row; of many classes only what is multiplied by it is scaled
    is_scaled = logits.shape[1] <= MAX_CLASSES_ON_SLOW_AXIS
    if is_scaled:
        logits /= sums[:, None]
    if "dL_dW{l}" in wanted:
        scaled = inputs if is_scaled else inputs / sums[:, None]
        found["dL_dW{l}"] = scaled.T.dot(logits)
    if bias is not None and "dL_db{l}?" in wanted:
        found["dL_db{l}?"] = logits.sum(axis=0) if is_scaled else (1.0 / sums).dot(logits)
    if "dL_dA{l-1}" in wanted:
        grad_inputs = logits.dot(weights.T)
        found["dL_dA{l-1}"] = grad_inputs if is_scaled else np.divide(grad_inputs, sums[:, None], out=grad_inputs)
    if problem.conventions.l2.strength:
        _add_penalties(found, problem, weights, bias)
    return found if all(is_finite(value) for value in found.values()) else None


def _add_penalties(found: dict[str, Array], problem: Problem, weights: Array, bias: Array | None) -> None:
    context = RuleContext(problem, problem.network.depth)
    if "dL_dW{l}" in found:
        found["dL_dW{l}"] += l2_coefficient_of(context) * weights
    if bias is not None and "dL_db{l}?" in found:
        found["dL_db{l}?"] += bias_l2_coefficient_of(context) * bias


def _has_few_labelled(traits: Traits) -> bool:
    is_labelled = traits.loss == "cross_entropy" and traits.has_labels
    # without a penalty nothing is added to the loss and its derivatives
    return is_labelled and traits.has_few_outputs and not traits.has_penalty


GRADIENT_PRODUCTS: dict[str, Callable[[Array, Array, Array], Array]] = {
    "dL_dW{l}": lambda inputs, grad, weights: inputs.T @ grad,
    "dL_db{l}?": lambda inputs, grad, weights: np.add.reduce(grad, -2),
    "dL_dA{l-1}": lambda inputs, grad, weights: grad @ weights.T,
}
BY_PROBABILITY = frozenset({"losses", "L", "dL_dA{l}"})
"""What is made with the target's probability, of which an unlikely target leaves few digits."""


def _few_outputs(
    wanted: frozenset[str], problem: Problem, inputs: Array, weights: Array, bias: Array | None = None
) -> Found:
    divisor, log_of_base = _divisor_and_log(problem)
    factor = divisor * log_of_base
    logits = inputs @ weights
    if bias is not None:
        logits += bias
    split = split_powers(logits, np.asarray(problem.targets))
    if split is None:
        return None
    powers, targets, own, others = split
    sums, found = own + others, {"Z{l}": logits}
    if not wanted.isdisjoint(BY_PROBABILITY):
        # ln(1/p) = ln(1 + others/own), of which a sure prediction keeps every digit
        losses = np.log1p(others / own)
        numbers = losses.tolist()
        if not max(numbers) <= MAX_ACCURATE_LOSS:
            return None
        found["losses"], found["L"] = losses / log_of_base, np.array(sum(numbers) / factor, losses.dtype)
    if "A{l}" in wanted:
        found["A{l}"] = probabilities = powers / sums[:, None]
        probabilities.ravel()[targets] = own / sums
    if "dL_dA{l}" in wanted:
        found["dL_dA{l}"] = grad_outputs = np.zeros_like(powers)
        grad_outputs.ravel()[targets] = sums / (own * -factor)
    # the target's entry is minus the sum of the others, added up and not subtracted
    powers.ravel()[targets] = 0.0 - others
    # by a number in half of the time that a column takes
    powers /= sums.item() * factor if len(powers) == 1 else (sums * factor)[:, None]
    found["dL_dZ{l}"] = powers
    for template, multiply in GRADIENT_PRODUCTS.items():
        if template in wanted:
            found[template] = product = multiply(inputs, powers, weights)
            # what became of finite logits is finite until it is multiplied by what is given
            if not is_finite(product):
                return None
    return found


def _is_single(traits: Traits) -> bool:
    return traits.is_single and not traits.has_penalty


def _grad_weights_of_one_sample(wanted: frozenset[str], problem: Problem, inputs: Array, grad: Array) -> Found:
    product = compute_outer_product(inputs, grad)
    return None if product is None else {"dL_dW{l}": product}


FUSED_RULES = (
    FusedRule(
        name="softmax_cross_entropy_of_many",
        inputs=("A{l-1}", "W{l}", "b{l}?"),
        hidden=("Z{l}", "A{l}", "y", "dL_dZ{l}"),
        outputs=("losses", *GRADIENT_PRODUCTS),
        applies=_has_many_labelled,
        apply=_many_outputs,
    ),
    FusedRule(
        name="softmax_cross_entropy_of_few",
        inputs=("A{l-1}", "W{l}", "b{l}?"),
        hidden=("y",),
        outputs=("Z{l}", "A{l}", "losses", "L", "dL_dA{l}", "dL_dZ{l}", *GRADIENT_PRODUCTS),
        applies=_has_few_labelled,
        apply=_few_outputs,
    ),
    FusedRule(
        name="grad_weights_of_one_sample",
        inputs=("A{l-1}", "dL_dZ{l}"),
        outputs=("dL_dW{l}",),
        is_repeated=True,
        applies=_is_single,
        apply=_grad_weights_of_one_sample,
    ),
)
