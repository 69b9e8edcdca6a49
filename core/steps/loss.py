"""The rules that make one loss of a batch: reduction, logarithm's base and L2."""

import math
from collections.abc import Sequence

import numpy as np

from core.arrays import Array
from core.conventions import LOG_BASES, REDUCTIONS
from core.formulas import parse_formula
from core.steps.context import RuleContext
from core.steps.rounding import Rounding
from core.steps.rounding_bounds import bound_losses
from core.steps.rules import BIAS_PENALTY, FUNCTIONS, WEIGHTS_PENALTY, Rule


def _number(context: RuleContext, value: float) -> Array:
    # an array of float64, even one without axes, would turn what is computed in float32 into float64
    return np.array(value, context.problem.dtype)


def divisor_of(context: RuleContext) -> Array:
    """Return what the losses' sum is divided by: n_samples for a mean, 1 for a sum."""
    problem = context.problem
    return _number(context, float(REDUCTIONS[context.conventions.reduction](problem.n_samples, problem.n_out)))


def log_of_base(context: RuleContext) -> Array:
    """Return the logarithm of the base in which losses are counted."""
    return _number(context, math.log(LOG_BASES[context.conventions.log_base]))


def _losses(context: RuleContext, z: Array, a: Array, y: Array, log_of_base: Array) -> Array:
    logits = context.loss.logits
    return np.asarray((logits.value(z, y) if logits else context.loss.value(a, y)) / log_of_base)


def _reduce(context: RuleContext, losses: Array, divisor: Array, *penalties: Array) -> Array:
    total = losses.sum(axis=-1) / divisor
    if not np.isfinite(total).all():
        # a mean may fit float64 where the sum does not
        total = np.where(np.isfinite(total), total, (losses / divisor[..., None]).sum(axis=-1))
    return np.asarray(total + sum(penalties))


def l2_coefficient_of(context: RuleContext) -> Array:
    """Return the derivative of the penalty by a weight, as a part of the weight."""
    l2 = context.conventions.l2
    return _number(context, 2.0 * l2.factor * l2.strength / (context.problem.n_samples if l2.per_sample else 1))


def bias_l2_coefficient_of(context: RuleContext) -> Array:
    """Return the same for a bias: 0 where the penalty leaves biases alone."""
    return l2_coefficient_of(context) if context.conventions.l2.biases else _number(context, 0.0)


def _penalty(context: RuleContext, l2_coefficient: Array, *parameters: Array) -> Array:
    # without a coefficient nothing is squared, so nothing can overflow for nothing
    if not np.count_nonzero(l2_coefficient):
        return _number(context, 0.0)
    return np.where(l2_coefficient != 0, 0.5 * l2_coefficient * sum((p * p).sum() for p in parameters), 0.0)


def _bound_penalty(
    context: RuleContext, rounding: Rounding, errors: Sequence[Array], l2_coefficient: Array, *parameters: Array
) -> Array:
    # parameters are given exactly, and nobody writes their squares down
    return np.zeros(())


LOSS_RULES = (
    Rule(
        name="targets",
        output="y",
        inputs={},
        exact=lambda context: context.problem.target_distribution(),
        quantity="targets",
        source="the targets: a row of numbers per sample; a class index becomes a one-hot row",
        shape="(n_samples, n_out)",
    ),
    Rule(
        name="divisor",
        output="divisor",
        inputs={},
        exact=divisor_of,
        quantity="divisor",
        source="n_samples for mean, 1 for sum, n_samples · n_out for mean_over_entries",
        shape="()",
    ),
    Rule(
        name="log_of_base",
        output="log_of_base",
        inputs={},
        exact=log_of_base,
        quantity="log_of_base",
        source="ln(log_base)",
        shape="()",
    ),
    Rule(
        name="losses",
        output="losses",
        inputs={"Z": "Z{n}", "A": "A{n}", "Y": "y", "ln_B": "log_of_base"},
        quantity="losses",
        formula=parse_formula("loss(A)/ln_B", FUNCTIONS),
        shape="(n_samples,)",
        why="The loss compares each sample's outputs with its targets.",
        exact=_losses,
        passes_outputs=True,
        bound=bound_losses,
    ),
    Rule(
        name="l2_coefficient",
        output="l2_coefficient",
        inputs={},
        exact=l2_coefficient_of,
        quantity="l2_coefficient",
        source="2 · factor · strength of L2, with per_sample over n_samples",
        shape="()",
        advice="a smaller strength of l2 helps",
    ),
    Rule(
        name="bias_l2_coefficient",
        output="bias_l2_coefficient",
        inputs={},
        exact=bias_l2_coefficient_of,
        quantity="bias_l2_coefficient",
        source="the L2 term where L2 covers biases, else 0",
        shape="()",
    ),
    Rule(
        name="weights_penalty",
        output="weights_penalty",
        inputs={"c": "l2_coefficient", "W": "W{*}"},
        exact=_penalty,
        quantity="weights_penalty",
        formula=WEIGHTS_PENALTY,
        shape="()",
        advice="a smaller strength of l2, or smaller weights, help",
        bound=_bound_penalty,
    ),
    Rule(
        name="bias_penalty",
        output="bias_penalty",
        inputs={"c": "bias_l2_coefficient", "b": "b{*}?"},
        exact=_penalty,
        quantity="bias_penalty",
        formula=BIAS_PENALTY,
        shape="()",
        bound=_bound_penalty,
    ),
    Rule(
        name="loss",
        output="L",
        inputs={
            "losses": "losses",
            "N": "divisor",
            "weights_penalty": "weights_penalty",
            "bias_penalty": "bias_penalty",
        },
        quantity="loss",
        formula=parse_formula("sum(losses)/N + weights_penalty + bias_penalty"),
        shape="()",
        why="The loss of the batch is the sum of the samples' losses, divided by N for a mean; a penalty, where there "
        "is one, is added.",
        exact=_reduce,
    ),
)
