"""The rules that make one loss of a batch: reduction, logarithm's base and L2."""

import math

import numpy as np

from core.arrays import Array
from core.conventions import LOG_BASES
from core.steps.rules import Place, Rule


def _divisor(place: Place) -> Array:
    conventions = place.problem.conventions
    count = place.problem.n_samples if conventions.reduction == "mean" else 1
    return np.asarray(count * math.log(LOG_BASES[conventions.log_base]))


def _decay(place: Place) -> Array:
    l2 = place.problem.conventions.l2
    return np.asarray(2.0 * l2.factor * l2.strength)


def _bias_decay(place: Place) -> Array:
    return _decay(place) if place.problem.conventions.l2.biases else np.asarray(0.0)


def _penalty(place: Place, decay: Array, *parameters: Array) -> Array:
    # without a decay nothing is squared, so nothing can overflow for nothing
    return np.asarray(0.5 * decay * sum((p * p).sum() for p in parameters) if decay else 0.0)


LOSS_RULES = (
    Rule(
        name="losses",
        output="losses",
        inputs=("Z{n}", "A{n}", "y"),
        apply=lambda place, z, a, y: place.loss.value(z, a, y),
        quantity="losses",
        formula="ℓ = loss(a, y) of each sample, in nats",
        latex=r"\ell_i = \ell(a_i, y_i)",
        shape="(n_samples,)",
    ),
    Rule(
        name="divisor",
        output="divisor",
        inputs=(),
        apply=_divisor,
        quantity="divisor",
        formula="n_samples for mean, 1 for sum; times ln(log_base)",
        latex=r"N \ln b",
        shape="()",
    ),
    Rule(
        name="decay",
        output="decay",
        inputs=(),
        apply=_decay,
        quantity="decay",
        formula="2 · factor · strength of L2",
        latex=r"2 c \lambda",
        shape="()",
    ),
    Rule(
        name="bias_decay",
        output="bias_decay",
        inputs=(),
        apply=_bias_decay,
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
    ),
    Rule(
        name="loss",
        output="L",
        inputs=("losses", "divisor", "weights_penalty", "bias_penalty"),
        apply=lambda place, losses, divisor, *penalties: np.asarray(losses.sum() / divisor + sum(penalties)),
        quantity="loss",
        formula="L = Σ losses / divisor + L2",
        latex=r"L = \frac{1}{N}\sum_i \ell_i + c \lambda \sum w^2",
        shape="()",
    ),
)
