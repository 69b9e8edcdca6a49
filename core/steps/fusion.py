"""Steps that one kernel computes at once: a faster reading of the table, not another one.

Where nobody asks for what lies between, the kernel's results stand in for those of the steps. The steps'
own rules stay the definition: they run wherever the kernel does not apply, or meets a number that is not
finite, so that refusals are theirs; and tests compare the two.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from core.arrays import Array, is_finite
from core.kernels.softmax_cross_entropy import (
    MAX_CLASSES_ON_SLOW_AXIS,
    compute_logits,
    compute_one_sample,
    losses_of,
    to_unscaled_gradient,
)
from core.steps.loss import bias_l2_coefficient_of, divisor_of, l2_coefficient_of, log_of_base
from core.steps.rules import RuleContext, Structure
from core.steps.table import Step, fill

MIN_FUSED_LOGITS = 256
"""The least number of logits for which one kernel is faster than the steps."""


@dataclass(frozen=True, kw_only=True, eq=False)
class FusedRule:
    """How one kernel computes the results of several rules.

    Parameters
    ----------
    name : str
    inputs : tuple of str
        Templates of what it takes.
    hidden : tuple of str
        Templates of what it does not compute, though the rules would on the way.
    outputs : tuple of str
        Templates of what it computes.
    applies : callable
        ``applies(context)``: whether it computes what the rules do, and faster.
    apply : callable
        ``apply(context, wanted, *inputs)`` gives the wanted outputs by template; None where one of their numbers, or
        one on the way to them, is not finite.
    """

    name: str
    inputs: tuple[str, ...]
    hidden: tuple[str, ...]
    outputs: tuple[str, ...]
    applies: Callable[[RuleContext], bool]
    apply: Callable[..., Mapping[str, Array] | None]


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
    hidden : frozenset of str
        Numbered names of what it does not compute.
    start : str
        The first of the steps that it replaces; empty if there is none.
    """

    rule: FusedRule
    number: int
    inputs: tuple[str, ...]
    outputs: Mapping[str, str]
    hidden: frozenset[str]
    start: str

    def replaces(self, step: Step) -> bool:
        """Tell whether a step is needless where this one is computed."""
        return step.output in self.hidden or step.output in self.outputs.values()

    def stands_in(self, steps: Sequence[Step], wanted: Collection[str]) -> bool:
        """Tell whether steps need all that it leaves out, on the way to its own outputs only."""
        elsewhere = {name for step in steps if not self.replaces(step) for name in step.inputs}
        return self.hidden <= {step.output for step in steps} and self.hidden.isdisjoint(elsewhere.union(wanted))

    def compute(self, context: RuleContext, values: Mapping[str, Array]) -> dict[str, Array] | None:
        """Compute what is needed of it.

        Parameters
        ----------
        context : RuleContext
        values : mapping of str to ndarray
            The inputs, by numbered names.

        Returns
        -------
        dict of str to ndarray, or None
            By numbered names; None where a number is not finite.
        """
        found = self.rule.apply(context, self.outputs.keys(), *(values[name] for name in self.inputs))
        if found is None:
            return None
        return {self.outputs[template]: value for template, value in found.items()}


def fuse(structure: Structure, steps: Sequence[Step], wanted: Collection[str]) -> tuple[FusedStep, ...]:
    """Find the fused rules that can stand in for steps.

    Parameters
    ----------
    structure : Structure
    steps : sequence of Step
        Those that are needed.
    wanted : collection of str
        Numbered names that have to be computed themselves.

    Returns
    -------
    tuple of FusedStep
    """
    fused = (_fill(rule, structure, [step.output for step in steps]) for rule in FUSED_RULES)
    return tuple(step for step in fused if step.stands_in(steps, wanted))


def _fill(rule: FusedRule, structure: Structure, needed: Sequence[str]) -> FusedStep:
    def named(templates: tuple[str, ...]) -> dict[str, str]:
        return {template: name for template in templates for name in fill(template, structure.depth, structure)}

    hidden = frozenset(named(rule.hidden).values())
    outputs = {template: name for template, name in named(rule.outputs).items() if name in needed}
    return FusedStep(
        rule=rule,
        number=structure.depth,
        inputs=tuple(named(rule.inputs).values()),
        outputs=outputs,
        hidden=hidden,
        start=next((name for name in needed if name in hidden.union(outputs.values())), ""),
    )


def _is_large_and_labelled(context: RuleContext) -> bool:
    problem = context.problem
    return (
        problem.loss == "cross_entropy" and problem.has_labels and problem.n_samples * problem.n_out >= MIN_FUSED_LOGITS
    )


def _softmax_cross_entropy(
    context: RuleContext, wanted: Collection[str], inputs: Array, weights: Array, bias: Array | None = None
) -> dict[str, Array] | None:
    labels = np.asarray(context.problem.targets)
    logits = compute_logits(inputs, weights, bias)
    if not is_finite(logits):
        return None
    target_shifts = np.empty(len(logits), logits.dtype)
    sums = to_unscaled_gradient(logits, labels, target_shifts)
    found: dict[str, Array] = {}
    if "losses" in wanted:
        found["losses"] = losses_of(logits, labels, sums, target_shifts) / log_of_base(context)
    scale = 1.0 / (sums * (divisor_of(context) * log_of_base(context)))
    # dL/dZ = scale ∘ unscaled gradient, row by row; of many classes only what is multiplied by it is scaled
    few = logits.shape[1] <= MAX_CLASSES_ON_SLOW_AXIS
    if few:
        logits *= scale[:, None]
    if "dL_dW{l}" in wanted:
        scaled = inputs if few else inputs * scale[:, None]
        found["dL_dW{l}"] = _add_penalty(scaled.T.dot(logits), l2_coefficient_of(context), weights)
    if bias is not None and "dL_db{l}?" in wanted:
        grad_bias = logits.sum(axis=0) if few else scale.dot(logits)
        found["dL_db{l}?"] = _add_penalty(grad_bias, bias_l2_coefficient_of(context), bias)
    if "dL_dA{l-1}" in wanted:
        grad_inputs = logits.dot(weights.T)
        found["dL_dA{l-1}"] = grad_inputs if few else np.multiply(grad_inputs, scale[:, None], out=grad_inputs)
    return found if all(is_finite(value) for value in found.values()) else None


GRADIENT_PRODUCTS = ("dL_dW{l}", "dL_db{l}?", "dL_dA{l-1}")


def _is_one_small_sample(context: RuleContext) -> bool:
    problem = context.problem
    # then divisor and log_of_base are 1, and nothing is added to the loss and its derivatives
    conventions = problem.conventions
    is_plain = problem.n_samples == 1 and conventions.log_base == "e" and not conventions.l2.strength
    return is_plain and problem.loss == "cross_entropy" and problem.has_labels and problem.n_out < MIN_FUSED_LOGITS


def _one_sample(
    context: RuleContext, wanted: Collection[str], inputs: Array, weights: Array, bias: Array | None = None
) -> dict[str, Array] | None:
    sample = compute_one_sample(inputs, weights, int(np.asarray(context.problem.targets)[0]), bias)
    if sample is None:
        return None
    grad = sample.grad_logits
    found = {
        "Z{l}": sample.logits,
        "A{l}": sample.probabilities,
        "losses": sample.losses,
        "L": sample.losses.sum(axis=-1),
        "dL_dA{l}": sample.grad_outputs,
        "dL_dZ{l}": grad,
    }
    if "dL_dW{l}" in wanted:
        found["dL_dW{l}"] = inputs.T @ grad
    if "dL_db{l}?" in wanted:
        found["dL_db{l}?"] = grad.sum(axis=-2)
    if "dL_dA{l-1}" in wanted:
        found["dL_dA{l-1}"] = grad @ weights.T
    # the probabilities are at most 1, so only products with what is given can be too large
    products = [found[template] for template in GRADIENT_PRODUCTS if template in wanted]
    return {template: found[template] for template in wanted} if all(map(is_finite, products)) else None


def _add_penalty(grad: Array, l2_coefficient: Array, parameter: Array) -> Array:
    if l2_coefficient:
        grad += l2_coefficient * parameter
    return grad


FUSED_RULES = (
    FusedRule(
        name="softmax_cross_entropy",
        inputs=("A{l-1}", "W{l}", "b{l}?"),
        hidden=("Z{l}", "A{l}", "y", "dL_dZ{l}"),
        outputs=("losses", "dL_dW{l}", "dL_db{l}?", "dL_dA{l-1}"),
        applies=_is_large_and_labelled,
        apply=_softmax_cross_entropy,
    ),
    FusedRule(
        name="softmax_cross_entropy_of_one_sample",
        inputs=("A{l-1}", "W{l}", "b{l}?"),
        hidden=("y",),
        outputs=("Z{l}", "A{l}", "losses", "L", "dL_dA{l}", "dL_dZ{l}", *GRADIENT_PRODUCTS),
        applies=_is_one_small_sample,
        apply=_one_sample,
    ),
)
