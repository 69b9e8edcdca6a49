"""Mistakes in the L2 term."""

from collections.abc import Callable

import numpy as np

from core.arrays import Array
from core.conventions import L2_FACTORS
from core.mistakes.mistake import Mistake, Way
from core.mistakes.places import has_penalty, is_batch
from core.problem import Problem
from core.steps import Place, adjust_rule, replace_rule

Scale = Callable[[Place], float]


def _in_gradients(scale: Scale) -> Way:
    return (
        adjust_rule(
            "grad_weights",
            lambda exact, place, inputs, grad, weights, decay: exact(inputs, grad, weights, scale(place) * decay),
        ),
        adjust_rule(
            "grad_bias", lambda exact, place, grad, bias, decay: exact(grad, bias, np.asarray(scale(place) * decay))
        ),
    )


def _everywhere(scale: Scale) -> Way:
    return (
        adjust_rule("decay", lambda exact, place: np.asarray(scale(place) * exact())),
        adjust_rule("bias_decay", lambda exact, place: np.asarray(scale(place) * exact())),
    )


def _both(scale: Scale) -> tuple[Way, Way]:
    return (_in_gradients(scale), _everywhere(scale))


def _other_factor(place: Place) -> float:
    factor = place.problem.conventions.l2.factor
    return (sum(L2_FACTORS) - factor) / factor


def _spares_biases(problem: Problem) -> bool:
    return has_penalty(problem) and not problem.conventions.l2.biases


def _decay_on_bias(exact: Callable[..., Array], place: Place, grad: Array, bias: Array, *decays: Array) -> Array:
    return exact(grad, bias, decays[1])


REGULARISATION_MISTAKES = (
    Mistake(
        name="l2_missing",
        family="L2",
        produces="t − c·λ·W",
        message="The L2 term is missing.",
        ways=_both(lambda place: 0.0),
        applies=has_penalty,
    ),
    Mistake(
        name="l2_factor",
        family="L2",
        produces="the other factor, 1 for ½ or ½ for 1",
        message="The factor of the L2 term is the other of the two that textbooks use.",
        ways=_both(_other_factor),
        applies=has_penalty,
        switch=("l2.factor", 1),
    ),
    Mistake(
        name="l2_sign",
        family="L2",
        produces="t − 2·c·λ·W",
        message="The L2 term has the wrong sign: it draws the weights to 0 in a step that subtracts the gradient.",
        ways=_both(lambda place: -1.0),
        applies=has_penalty,
    ),
    Mistake(
        name="l2_averaged",
        family="L2",
        produces="the L2 term over N",
        message="The L2 term is divided by the number of samples; here it is added to their mean as it is.",
        ways=_both(lambda place: 1.0 / place.problem.n_samples),
        applies=lambda problem: has_penalty(problem) and is_batch(problem),
    ),
    Mistake(
        name="l2_on_bias",
        family="L2",
        produces="t + c·λ·b",
        message="The L2 term covers the biases as well; here it is over the weights only.",
        ways=(
            (adjust_rule("grad_bias", _decay_on_bias, extra=("decay",)),),
            (replace_rule("bias_decay", lambda place, decay: decay, extra=("decay",)),),
        ),
        applies=_spares_biases,
    ),
    Mistake(
        name="l2_not_on_bias",
        family="L2",
        produces="t − c·λ·b",
        message="The L2 term leaves the biases out; here it covers them.",
        ways=((replace_rule("bias_decay", lambda place: np.asarray(0.0)),),),
        applies=lambda problem: has_penalty(problem) and problem.conventions.l2.biases,
    ),
    Mistake(
        name="l2_only",
        family="L2",
        produces="c·λ·W",
        message="This is the gradient of the L2 term alone; that of the data is missing.",
        ways=(
            (
                replace_rule("grad_weights", lambda place, inputs, grad, weights, decay: decay * weights),
                replace_rule(
                    "grad_bias",
                    lambda place, grad, bias, decay: decay * bias,
                    where=lambda place: place.problem.conventions.l2.biases,
                ),
            ),
        ),
        applies=has_penalty,
    ),
)
