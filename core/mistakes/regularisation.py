"""Mistakes in the L2 term."""

from collections.abc import Callable

import numpy as np

from core.arrays import Array
from core.conventions import L2_FACTORS, Switch
from core.formulas import drop
from core.mistakes.conditions import has_penalty, is_batch
from core.mistakes.mistake import Mistake, Variant
from core.problem import Problem
from core.steps import RuleContext, Where, adjust_rule, edit_rule, everywhere, is_other, replace_rule

Scale = Callable[[RuleContext], float]


def _both(scale: Scale, *, switch: Switch | None = None) -> tuple[Variant, Variant]:
    """Put a factor on the penalty, in the gradients alone and everywhere."""
    where: Where = (lambda context: is_other(context, switch)) if switch else everywhere
    # no edits: they work on what other mistakes have made of the rule
    in_gradients = (
        adjust_rule(
            "grad_weights",
            lambda exact, context, inputs, grad, weights, l2_coefficient: exact(
                inputs, grad, weights, scale(context) * l2_coefficient
            ),
            where=where,
            switch=switch,
        ),
        adjust_rule(
            "grad_bias",
            lambda exact, context, grad, bias, l2_coefficient: exact(
                grad, bias, np.asarray(scale(context) * l2_coefficient)
            ),
            where=where,
            switch=switch,
        ),
    )
    in_loss_as_well = tuple(
        adjust_rule(rule, lambda exact, context: np.asarray(scale(context) * exact()), where=where, switch=switch)
        for rule in ("l2_coefficient", "bias_l2_coefficient")
    )
    return in_gradients, in_loss_as_well


def _with_factor(factor: float) -> tuple[Variant, Variant]:
    return _both(lambda context: factor / context.conventions.l2.factor, switch=("l2.factor", factor))


def _is_divided(problem: Problem) -> bool:
    return problem.conventions.l2.per_sample


def _spares_biases(problem: Problem) -> bool:
    return has_penalty(problem) and not problem.conventions.l2.biases


def _penalise_bias(
    exact: Callable[..., Array], context: RuleContext, grad: Array, bias: Array, *coefficients: Array
) -> Array:
    return exact(grad, bias, coefficients[1])


REGULARISATION_MISTAKES = (
    Mistake(
        name="l2_missing",
        family="L2",
        formula="dL/dW = t − c·W",
        message="You left out the L2 term. It is in the loss, and in the gradient by each parameter that it covers.",
        variants=_both(lambda context: 0.0),
        applies=has_penalty,
    ),
    Mistake(
        name="l2_factor",
        family="L2",
        formula="dL/dW = t − c·W + c′·W",
        message=lambda problem, quantity: (
            "You used another factor in the L2 term. Here it is "
            f"{'½' if problem.conventions.l2.factor == 0.5 else '1'}: look at the conventions."
        ),
        variants=tuple(variant for factor in L2_FACTORS for variant in _with_factor(factor)),
        applies=has_penalty,
    ),
    Mistake(
        name="l2_sign",
        family="L2",
        formula="dL/dW = t − 2·c·W",
        message="You subtracted the L2 term. Add it: the loss has a plus before it.",
        variants=_both(lambda context: -1.0),
        applies=has_penalty,
    ),
    Mistake(
        name="l2_averaged",
        family="L2",
        formula="dL/dW = t − c·W + c·W/n",
        message="You divided the L2 term by the number of samples. Here it is added as it is.",
        variants=_both(lambda context: 1.0 / context.problem.n_samples, switch=("l2.per_sample", True)),
        applies=lambda problem: has_penalty(problem) and is_batch(problem) and not _is_divided(problem),
    ),
    Mistake(
        name="l2_not_averaged",
        family="L2",
        formula="dL/dW = t − c·W + n·c·W",
        message="You added the L2 term as it is. Here it is divided by the number of samples.",
        variants=_both(lambda context: float(context.problem.n_samples), switch=("l2.per_sample", False)),
        applies=lambda problem: has_penalty(problem) and is_batch(problem) and _is_divided(problem),
    ),
    Mistake(
        name="l2_on_bias",
        family="L2",
        formula="dL/db = t + c·b",
        message="You applied L2 to the biases as well. Here it covers the weights only.",
        variants=(
            (adjust_rule("grad_bias", _penalise_bias, extra=("l2_coefficient",)),),
            (
                replace_rule(
                    "bias_l2_coefficient", lambda context, l2_coefficient: l2_coefficient, extra=("l2_coefficient",)
                ),
            ),
        ),
        applies=_spares_biases,
    ),
    Mistake(
        name="l2_not_on_bias",
        family="L2",
        formula="dL/db = t − c·b",
        message="You left the biases out of the L2 term. Here it covers them.",
        variants=((replace_rule("bias_l2_coefficient", lambda context: np.asarray(0.0)),),),
        applies=lambda problem: has_penalty(problem) and problem.conventions.l2.biases,
    ),
    Mistake(
        name="l2_only",
        family="L2",
        message="You gave the gradient of the L2 term alone. Add the gradient of the data's loss.",
        variants=(
            (
                edit_rule("grad_weights", drop("Xᵀ·dL/dZ")),
                edit_rule(
                    "grad_bias",
                    drop("sum_samples(dL/dZ)"),
                    where=lambda context: context.problem.conventions.l2.biases,
                ),
            ),
        ),
        applies=has_penalty,
    ),
)
