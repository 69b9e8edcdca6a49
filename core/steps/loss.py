"""The rules that make one loss of a batch: reduction, logarithm's base and L2."""

import math

import numpy as np

from core.arrays import Array
from core.conventions import LOG_BASES, REDUCTIONS
from core.steps.rules import Place, Rule
from core.steps.spreads import spread_loss, spread_losses, spread_penalty


def _number(place: Place, value: float) -> Array:
    # an array of float64, even one without axes, would turn what is computed in float32 into float64
    return np.array(value, place.problem.dtype)


def divisor_of(place: Place) -> Array:
    """Return what the losses' sum is divided by: n_samples for a mean, 1 for a sum."""
    problem = place.problem
    return _number(place, float(REDUCTIONS[place.conventions.reduction](problem.n_samples, problem.n_out)))


def unit_of(place: Place) -> Array:
    """Return the logarithm of the base in which losses are counted."""
    return _number(place, math.log(LOG_BASES[place.conventions.log_base]))


def _losses(place: Place, z: Array, a: Array, y: Array, unit: Array) -> Array:
    logits = place.loss.logits
    return np.asarray((logits.value(z, y) if logits else place.loss.value(a, y)) / unit)


def _reduce(place: Place, losses: Array, divisor: Array, *penalties: Array) -> Array:
    total = losses.sum(axis=-1) / divisor
    if not np.isfinite(total).all():
        # a mean may fit float64 where the sum does not
        total = np.where(np.isfinite(total), total, (losses / divisor[..., None]).sum(axis=-1))
    return np.asarray(total + sum(penalties))


def decay_of(place: Place) -> Array:
    """Return the derivative of the penalty by a weight, as a part of the weight."""
    l2 = place.conventions.l2
    return _number(place, 2.0 * l2.factor * l2.strength / (place.problem.n_samples if l2.per_sample else 1))


def bias_decay_of(place: Place) -> Array:
    """Return the same for a bias: 0 where the penalty leaves biases alone."""
    return decay_of(place) if place.conventions.l2.biases else _number(place, 0.0)


def _penalty(place: Place, decay: Array, *parameters: Array) -> Array:
    # without a decay nothing is squared, so nothing can overflow for nothing
    if not np.count_nonzero(decay):
        return _number(place, 0.0)
    return np.where(decay != 0, 0.5 * decay * sum((p * p).sum() for p in parameters), 0.0)


LOSS_RULES = (
    Rule(
        name="targets",
        output="y",
        inputs=(),
        apply=lambda place: place.problem.target_distribution(),
        quantity="targets",
        formula="Y: a row of numbers per sample; a class index becomes a one-hot row",
        latex=r"Y",
        shape="(n_samples, n_out)",
    ),
    Rule(
        name="divisor",
        output="divisor",
        inputs=(),
        apply=divisor_of,
        quantity="divisor",
        formula="n_samples for mean, 1 for sum, n_samples · n_out for mean_over_entries",
        latex=r"N",
        shape="()",
    ),
    Rule(
        name="unit",
        output="unit",
        inputs=(),
        apply=unit_of,
        quantity="unit",
        formula="ln(log_base)",
        latex=r"\ln b",
        shape="()",
    ),
    Rule(
        name="losses",
        output="losses",
        inputs=("Z{n}", "A{n}", "y", "unit"),
        apply=_losses,
        quantity="losses",
        formula="loss(a, y) of each sample / ln(log_base)",
        latex=r"\ell_i = \ell(a_i, y_i) / \ln b",
        shape="(n_samples,)",
        plain=lambda place, z, a, y, unit: place.loss.value(a, y) / unit,
        spread=spread_losses,
    ),
    Rule(
        name="decay",
        output="decay",
        inputs=(),
        apply=decay_of,
        quantity="decay",
        formula="2 · factor · strength of L2, with per_sample over n_samples",
        latex=r"2 c \lambda",
        shape="()",
        advice="a smaller strength of l2 helps",
    ),
    Rule(
        name="bias_decay",
        output="bias_decay",
        inputs=(),
        apply=bias_decay_of,
        quantity="bias_decay",
        formula="the decay where L2 covers biases, else 0",
        latex=r"2 c \lambda",
        shape="()",
    ),
    Rule(
        name="weights_penalty",
        output="weights_penalty",
        inputs=("decay", "W{*}"),
        apply=_penalty,
        quantity="weights_penalty",
        formula="½ · decay · Σ w²",
        latex=r"c \lambda \sum w^2",
        shape="()",
        advice="a smaller strength of l2, or smaller weights, help",
        spread=spread_penalty,
    ),
    Rule(
        name="bias_penalty",
        output="bias_penalty",
        inputs=("bias_decay", "b{*}?"),
        apply=_penalty,
        quantity="bias_penalty",
        formula="½ · bias_decay · Σ b²",
        latex=r"c \lambda \sum b^2",
        shape="()",
        spread=spread_penalty,
    ),
    Rule(
        name="loss",
        output="L",
        inputs=("losses", "divisor", "weights_penalty", "bias_penalty"),
        apply=_reduce,
        quantity="loss",
        formula="L = Σ losses / N + L2, where N is n_samples for mean, 1 for sum, n_samples · n_out for "
        "mean_over_entries",
        latex=r"L = \frac{1}{N}\sum_i \ell_i + c \lambda \sum w^2",
        shape="()",
        spread=spread_loss,
    ),
)
