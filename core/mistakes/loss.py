"""Mistakes in the loss and in its derivative by the outputs."""

import numpy as np

from core.arrays import Array
from core.losses import LOSSES
from core.mistakes.mistake import Mistake
from core.mistakes.places import is_fused, is_softmax_loss
from core.problem import Problem
from core.steps import Place, keep_convention, replace_rule


def _is_in_other_base(problem: Problem, base: str | int) -> bool:
    return problem.loss is not None and LOSSES[problem.loss].logarithmic and problem.conventions.log_base != base


def _binary_derivative(a: Array, y: Array) -> Array:
    return (a - y) / (a * (1.0 - a))


def _binary_losses(place: Place, z: Array, a: Array, y: Array, unit: Array) -> Array:
    return LOSSES["binary_cross_entropy"].value(a, y) / unit


LOSS_MISTAKES = (
    Mistake(
        name="log_base_2",
        family="loss",
        produces="t/ln 2",
        message="The logarithm is taken to base 2, which divides the loss and its gradient by ln 2.",
        ways=(keep_convention(("log_base", 2), "unit"),),
        applies=lambda problem: _is_in_other_base(problem, 2),
    ),
    Mistake(
        name="log_base_10",
        family="loss",
        produces="t/ln 10",
        message="The logarithm is taken to base 10, which divides the loss and its gradient by ln 10.",
        ways=(keep_convention(("log_base", 10), "unit"),),
        applies=lambda problem: _is_in_other_base(problem, 10),
    ),
    Mistake(
        name="natural_logarithm",
        family="loss",
        produces="t·ln b",
        message="The logarithm is the natural one; another base was asked for, which divides by its logarithm.",
        ways=(keep_convention(("log_base", "e"), "unit"),),
        applies=lambda problem: _is_in_other_base(problem, "e"),
    ),
    Mistake(
        name="logarithm_missing",
        family="loss",
        produces="−Σ y·s",
        message="The logarithm is missing: cross-entropy adds up −y·ln s, not −y·s.",
        ways=((replace_rule("losses", lambda place, z, a, y, unit: -(y * a).sum(axis=-1), where=is_softmax_loss),),),
    ),
    Mistake(
        name="binary_terms",
        family="loss",
        produces="(S − Y)/(S(1 − S))/N",
        message="The binary cross-entropy is used for each class, with its terms 1 − y and 1 − s; among several "
        "classes the cross-entropy has −y·ln s alone.",
        ways=(
            (
                replace_rule("losses", _binary_losses, where=is_softmax_loss),
                replace_rule(
                    "loss_gradient",
                    lambda place, z, a, y, divisor, unit: _binary_derivative(a, y) / (divisor * unit),
                    where=is_softmax_loss,
                ),
                replace_rule(
                    "logits_gradient",
                    lambda place, z, a, y, divisor, unit: _binary_derivative(a, y) / (divisor * unit),
                    where=is_softmax_loss,
                ),
            ),
            (
                replace_rule(
                    "logits_gradient",
                    lambda place, z, a, y, divisor, unit: (
                        place.activation.vjp(z, a, _binary_derivative(a, y)) / (divisor * unit)
                    ),
                    where=is_softmax_loss,
                ),
            ),
        ),
    ),
    Mistake(
        name="loss_gradient_minus_missing",
        family="loss",
        produces="(Y/S)/N",
        message="The minus of the cross-entropy is missing in its derivative by the outputs.",
        ways=(
            (
                replace_rule(
                    "loss_gradient",
                    lambda place, z, a, y, divisor, unit: y / a / (divisor * unit),
                    where=is_softmax_loss,
                ),
            ),
        ),
    ),
    Mistake(
        name="loss_gradient_all_classes",
        family="loss",
        produces="(−1/S)/N",
        message="Every class is taken as the right one: the derivative by the outputs is 0 where the target is 0.",
        ways=(
            (
                replace_rule(
                    "loss_gradient",
                    lambda place, z, a, y, divisor, unit: -1.0 / a / (divisor * unit),
                    where=is_softmax_loss,
                ),
            ),
        ),
    ),
    Mistake(
        name="loss_gradient_value",
        family="loss",
        produces="(−Y·ln S)/N",
        message="These are the terms of the loss itself; its derivative by the outputs is asked for.",
        ways=(
            (
                replace_rule(
                    "loss_gradient",
                    lambda place, z, a, y, divisor, unit: -y * np.log(a) / (divisor * unit),
                    where=is_softmax_loss,
                ),
            ),
        ),
    ),
    Mistake(
        name="logit_gradient_given",
        family="loss",
        produces="(S − Y)/N for dL/dS",
        message="This is the derivative by the pre-activations; by the outputs there is no softmax in it yet.",
        ways=(
            (
                replace_rule(
                    "loss_gradient", lambda place, z, a, y, divisor, unit: (a - y) / (divisor * unit), where=is_fused
                ),
            ),
        ),
    ),
)
