"""Mistakes in the L2 term."""

from collections.abc import Callable

import numpy as np

from core.arrays import Array
from core.conventions import L2_FACTORS, Switch
from core.mistakes.mistake import Mistake, Way
from core.mistakes.places import has_penalty, is_batch
from core.problem import Problem
from core.steps import Place, adjust_rule, replace_rule
from core.steps.changes import Where, is_other

Scale = Callable[[Place], float]


def _both(scale: Scale, *, switch: Switch | None = None) -> tuple[Way, Way]:
    """Put a factor on the penalty, in the gradients alone and everywhere."""
    where: Where = (lambda place: is_other(place, switch)) if switch else (lambda place: True)
    in_gradients = (
        adjust_rule(
            "grad_weights",
            lambda exact, place, inputs, grad, weights, decay: exact(inputs, grad, weights, scale(place) * decay),
            where=where,
            switch=switch,
        ),
        adjust_rule(
            "grad_bias",
            lambda exact, place, grad, bias, decay: exact(grad, bias, np.asarray(scale(place) * decay)),
            where=where,
            switch=switch,
        ),
    )
    everywhere = tuple(
        adjust_rule(rule, lambda exact, place: np.asarray(scale(place) * exact()), where=where, switch=switch)
        for rule in ("decay", "bias_decay")
    )
    return in_gradients, everywhere


def _with_factor(factor: float) -> tuple[Way, Way]:
    return _both(lambda place: factor / place.conventions.l2.factor, switch=("l2.factor", factor))


def _is_divided(problem: Problem) -> bool:
    return problem.conventions.l2.per_sample


def _spares_biases(problem: Problem) -> bool:
    return has_penalty(problem) and not problem.conventions.l2.biases


def _decay_on_bias(exact: Callable[..., Array], place: Place, grad: Array, bias: Array, *decays: Array) -> Array:
    return exact(grad, bias, decays[1])


REGULARISATION_MISTAKES = (
    Mistake(
        name="l2_missing",
        family="L2",
        produces="dL/dW = t − c·W",
        message="You left out the L2 term. It is in the loss, and in the gradient by each parameter that it covers.",
        ways=_both(lambda place: 0.0),
        applies=has_penalty,
    ),
    Mistake(
        name="l2_factor",
        family="L2",
        produces="dL/dW = t − c·W + c′·W",
        message=lambda problem, quantity: (
            "You used another factor in the L2 term. Here it is "
            f"{'½' if problem.conventions.l2.factor == 0.5 else '1'}: look at the conventions."
        ),
        ways=tuple(way for factor in L2_FACTORS for way in _with_factor(factor)),
        applies=has_penalty,
    ),
    Mistake(
        name="l2_sign",
        family="L2",
        produces="dL/dW = t − 2·c·W",
        message="You subtracted the L2 term. Add it: the loss has a plus before it.",
        ways=_both(lambda place: -1.0),
        applies=has_penalty,
    ),
    Mistake(
        name="l2_averaged",
        family="L2",
        produces="dL/dW = t − c·W + c·W/n",
        message="You divided the L2 term by the number of samples. Here it is added as it is.",
        ways=_both(lambda place: 1.0 / place.problem.n_samples, switch=("l2.per_sample", True)),
        applies=lambda problem: has_penalty(problem) and is_batch(problem) and not _is_divided(problem),
    ),
    Mistake(
        name="l2_not_averaged",
        family="L2",
        produces="dL/dW = t − c·W + n·c·W",
        message="You added the L2 term as it is. Here it is divided by the number of samples.",
        ways=_both(lambda place: float(place.problem.n_samples), switch=("l2.per_sample", False)),
        applies=lambda problem: has_penalty(problem) and is_batch(problem) and _is_divided(problem),
    ),
    Mistake(
        name="l2_on_bias",
        family="L2",
        produces="dL/db = t + c·b",
        message="You applied L2 to the biases as well. Here it covers the weights only.",
        ways=(
            (adjust_rule("grad_bias", _decay_on_bias, extra=("decay",)),),
            (replace_rule("bias_decay", lambda place, decay: decay, extra=("decay",)),),
        ),
        applies=_spares_biases,
    ),
    Mistake(
        name="l2_not_on_bias",
        family="L2",
        produces="dL/db = t − c·b",
        message="You left the biases out of the L2 term. Here it covers them.",
        ways=((replace_rule("bias_decay", lambda place: np.asarray(0.0)),),),
        applies=lambda problem: has_penalty(problem) and problem.conventions.l2.biases,
    ),
    Mistake(
        name="l2_only",
        family="L2",
        produces="dL/dW = c·W",
        message="You gave the gradient of the L2 term alone. Add the gradient of the data's loss.",
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
