"""Mistakes in the softmax: its value, and its Jacobian."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from core.activations import ACTIVATIONS
from core.arrays import Array
from core.formulas import Expression, put
from core.losses import log_softmax
from core.mistakes.conditions import is_softmax, is_softmax_loss
from core.mistakes.layers import with_local_jacobian
from core.mistakes.mistake import Mistake, Transform, Variant
from core.nodes import logits_node, output_node
from core.problem import Problem
from core.quantities import Quantity
from core.steps import RULES, RuleContext, adjust_rule, edit_rule, evaluate, everywhere, replace_rule

LARGEST_EXPONENT = 709.0
"""e to more than this does not fit float64."""


def _in_place_of_softmax(formula: Expression | str, exact: Callable[..., Array] | None = None) -> Variant:
    change = edit_rule("activation", put(formula), exact=exact, where=is_softmax)
    # the outputs of a softmax are S
    return (replace(change, edited=change.edited and replace(change.edited, output="A{n}")),)


def _by_jacobian(gradient: str) -> Variant:
    """Put a wrong Jacobian everywhere: the formula is that of rows dL/dA times the matrix of each sample."""
    change = edit_rule("activation_gradient", put(gradient), where=is_softmax)

    def through_the_loss(context: RuleContext, z: Array, a: Array, *others: Array) -> Array:
        return change.apply(None, context, RULES["loss_gradient"].apply(context, z, a, *others), z, a)

    return (
        replace_rule("logits_gradient", through_the_loss, where=is_softmax_loss),
        *with_local_jacobian(change),
    )


def _softmax(z: Array) -> Array:
    return ACTIVATIONS["softmax"].value(z)


def _share(z: Array, *axes: int) -> Array:
    exponentials = np.exp(z - z.max(axis=(-2, -1), keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=axes, keepdims=True))


def _as_it_stands(formula: Expression) -> Expression:
    return formula


def _overflows(problem: Problem) -> bool:
    logits = logits_node(problem.network)
    return problem.network.gives_distribution and bool(
        np.abs(evaluate(problem, [logits])[logits]).max() > LARGEST_EXPONENT
    )


def _diagonals(problem: Problem, quantity: Quantity, value: Array, number: float) -> Array | None:
    return np.diagonal(value, axis1=1, axis2=2) if quantity.matches("dA{l}_dZ{l}") else None


def _distributes(problem: Problem) -> bool:
    return problem.network.gives_distribution


def _predicted(problem: Problem, quantity: Quantity, value: Array, number: float) -> Array | None:
    is_outputs = quantity.key == output_node(problem.network)
    return value.argmax(axis=-1).astype(value.dtype) if is_outputs else None


def _add_columns(problem: Problem, quantity: Quantity, value: Array, number: float) -> Array | None:
    # by weights the variant above does it, on top of other mistakes as well
    return value.sum(axis=-2) if quantity.is_jacobian and not quantity.is_by_weights else None


def _say_added(problem: Problem, quantity: Quantity) -> str:
    added = "You added up each column of the Jacobian. It has a row for each output"
    if _distributes(problem) and quantity.of == output_node(problem.network):
        return f"{added}. Probabilities always sum to 1, so the sum of their derivatives tells nothing."
    return f"{added}: keep the rows apart."


SOFTMAX_MISTAKES = (
    Mistake(
        name="softmax_jacobian_diagonal",
        family="softmax Jacobian",
        formula="dS/dZ = diag(s∘(1 − s))",
        message=(
            "You kept only the diagonal s_i·(1 − s_i). Every probability depends on every pre-activation, "
            "because all of them are in the denominator: off the diagonal stands −s_i·s_j."
        ),
        variants=(_by_jacobian("dL/dA∘A∘(1 − A)"),),
        transforms=(Transform(apply=_diagonals),),
        applies=_distributes,
    ),
    Mistake(
        name="softmax_jacobian_sign",
        family="softmax Jacobian",
        formula="dS/dZ = diag(s) + s·sᵀ − 2·diag(s∘s)",
        message=(
            "Your sign off the diagonal is wrong. Raising one pre-activation lowers every other probability: "
            "off the diagonal stands −s_i·s_j."
        ),
        variants=(_by_jacobian("dL/dA∘A∘(1 − 2·A) + A∘sum_outputs(dL/dA∘A)"),),
        applies=_distributes,
    ),
    Mistake(
        name="softmax_jacobian_no_diagonal",
        family="softmax Jacobian",
        formula="dS/dZ = −s·sᵀ",
        message="You left out diag(s). On the diagonal stands s_i·(1 − s_i), not −s_i².",
        variants=(_by_jacobian("−A∘sum_outputs(dL/dA∘A)"),),
        applies=_distributes,
    ),
    Mistake(
        name="softmax_jacobian_no_product",
        family="softmax Jacobian",
        formula="dS/dZ = diag(s)",
        message="You left out s·sᵀ. It comes from the denominator of the softmax.",
        variants=(_by_jacobian("dL/dA∘A"),),
        applies=_distributes,
    ),
    Mistake(
        name="jacobian_columns_added",
        family="softmax Jacobian",
        formula="dS/dW = sum_outputs(t)",
        message=_say_added,
        variants=(
            (
                adjust_rule(
                    "dZ{l}_dW{l}",
                    lambda exact, context, rows, inputs: np.asarray(exact(rows, inputs).sum(axis=-2)),
                    reshapes=everywhere,
                ),
            ),
        ),
        transforms=(Transform(apply=_add_columns, is_other=True),),
        applies=lambda problem: max(problem.network.widths[1:]) > 1,
    ),
    Mistake(
        name="softmax_twice",
        family="softmax",
        formula="S = softmax(softmax(Z))",
        message="You applied the softmax twice. Perhaps you gave probabilities to a function that applies it itself.",
        variants=(
            (replace_rule("activation", lambda context, z: _softmax(_softmax(z)), where=is_softmax),),
            (
                replace_rule(
                    "losses",
                    lambda context, z, a, y, log_of_base: context.loss.value(_softmax(a), y) / log_of_base,
                    where=is_softmax_loss,
                ),
                replace_rule(
                    "logits_gradient",
                    lambda context, z, a, y, divisor, log_of_base: (_softmax(a) - y) / (divisor * log_of_base),
                    where=is_softmax_loss,
                ),
            ),
        ),
        applies=_distributes,
    ),
    Mistake(
        name="softmax_over_batch",
        family="softmax",
        message="You normalised over the samples. Divide each row by its sum over the classes: every row sums to 1.",
        variants=(_in_place_of_softmax("e^Z/sum_samples(e^Z)", lambda context, z: _share(z, -2)),),
        applies=_distributes,
    ),
    Mistake(
        name="softmax_over_all",
        family="softmax",
        message="You normalised over the whole array. Divide each row by its own sum: every row sums to 1.",
        variants=(_in_place_of_softmax("e^Z/sum(e^Z)", lambda context, z: _share(z, -2, -1)),),
        applies=lambda problem: _distributes(problem) and problem.n_samples > 1,
    ),
    Mistake(
        name="softmax_missing",
        family="softmax",
        message="You left out the softmax. The pre-activations Z are no probabilities.",
        variants=(_in_place_of_softmax("Z"),),
        applies=_distributes,
    ),
    Mistake(
        name="exp_missing",
        family="softmax",
        message="You left out the exponential. The softmax divides e^z by the sum of them, not z.",
        variants=(_in_place_of_softmax("Z/sum_outputs(Z)"),),
        applies=_distributes,
    ),
    Mistake(
        name="sigmoid_for_softmax",
        family="softmax",
        message=(
            "You took the sigmoid of each output on its own. The outputs of a softmax share one denominator "
            "and sum to 1."
        ),
        variants=(_in_place_of_softmax(ACTIVATIONS["sigmoid"].formula),),
        applies=_distributes,
    ),
    Mistake(
        name="not_normalised",
        family="softmax",
        message="You did not divide by the sum of the exponentials. The softmax divides e^z by the sum of its row.",
        variants=(_in_place_of_softmax("e^Z"),),
        applies=_distributes,
    ),
    Mistake(
        name="log_softmax_for_softmax",
        family="softmax",
        message="You took the logarithm of the probabilities. The outputs are the probabilities themselves.",
        variants=(_in_place_of_softmax("ln(e^Z/sum_outputs(e^Z))", lambda context, z: log_softmax(z)),),
        applies=_distributes,
    ),
    Mistake(
        name="prediction_given",
        family="softmax",
        formula="S = onehot(Z) or S = argmax(Z)",
        message="You gave the predicted class. S has the probability of each class.",
        variants=(_in_place_of_softmax("onehot(Z)"),),
        transforms=(Transform(apply=_predicted, is_other=True),),
        applies=_distributes,
    ),
    Mistake(
        name="overflowed",
        family="softmax",
        formula="S = e^Z/sum_outputs(e^Z): no number where Z is above 709",
        message=(
            "Your exponentials overflow. Subtract the largest pre-activation of each row first; that changes no "
            "probability."
        ),
        variants=(
            (
                edit_rule("activation", _as_it_stands, where=is_softmax),
                edit_rule("losses", _as_it_stands, where=is_softmax_loss),
            ),
        ),
        applies=_overflows,
    ),
)
