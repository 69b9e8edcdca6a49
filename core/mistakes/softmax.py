"""Mistakes in the softmax: its value, and its Jacobian."""

from collections.abc import Callable

import numpy as np

from core.activations import ACTIVATIONS
from core.arrays import Array
from core.losses import log_softmax
from core.mistakes.conditions import is_softmax, is_softmax_loss, one_hot
from core.mistakes.mistake import Mistake, Transform, Variant
from core.nodes import logits_node, output_node
from core.problem import Problem
from core.quantities import Quantity
from core.steps import RuleContext, adjust_rule, evaluate, everywhere, replace_rule

LARGEST_EXPONENT = 709.0
"""e to more than this does not fit float64."""


def _in_place_of_softmax(value: Callable[[Array], Array]) -> Variant:
    return (replace_rule("activation", lambda context, z: value(z), where=is_softmax),)


def _by_jacobian(vjp: Callable[[Array, Array], Array]) -> Variant:
    """Put a wrong Jacobian everywhere: ``vjp(a, rows)`` multiplies rows by it."""

    def through_the_loss(
        context: RuleContext, z: Array, a: Array, y: Array, divisor: Array, log_of_base: Array
    ) -> Array:
        return vjp(a, context.loss.grad_outputs(z, a, y) / (divisor * log_of_base))

    return (
        replace_rule("logits_gradient", through_the_loss, where=is_softmax_loss),
        replace_rule("activation_gradient", lambda context, grad, z, a: vjp(a, grad), where=is_softmax),
        replace_rule("dA{l}_dZ{l}", lambda context, rows, z, a: vjp(a[..., None, :], rows), where=is_softmax),
    )


def _softmax(z: Array) -> Array:
    return ACTIVATIONS["softmax"].value(z)


def _over_all(z: Array) -> Array:
    exponentials = np.exp(z - z.max(axis=(-2, -1), keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=(-2, -1), keepdims=True))


def _over_batch(z: Array) -> Array:
    exponentials = np.exp(z - z.max(axis=(-2, -1), keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=-2, keepdims=True))


def _unstabilised(z: Array) -> Array:
    exponentials = np.exp(z)
    return np.asarray(exponentials / exponentials.sum(axis=-1, keepdims=True))


def _naive_losses(context: RuleContext, z: Array, a: Array, y: Array, log_of_base: Array) -> Array:
    return np.asarray(-(y * np.log(a)).sum(axis=-1) / log_of_base)


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
        produces="dS/dZ = diag(s∘(1 − s))",
        message=(
            "You kept only the diagonal s_i·(1 − s_i). Every probability depends on every pre-activation, "
            "because all of them are in the denominator: off the diagonal stands −s_i·s_j."
        ),
        variants=(_by_jacobian(lambda a, rows: rows * a * (1.0 - a)),),
        transforms=(Transform(apply=_diagonals),),
        applies=_distributes,
    ),
    Mistake(
        name="softmax_jacobian_sign",
        family="softmax Jacobian",
        produces="dS/dZ = diag(s) + s·sᵀ − 2·diag(s∘s)",
        message=(
            "Your sign off the diagonal is wrong. Raising one pre-activation lowers every other probability: "
            "off the diagonal stands −s_i·s_j."
        ),
        variants=(
            _by_jacobian(
                lambda a, rows: rows * a * (1.0 - 2.0 * a) + a * (rows * a).sum(axis=-1, keepdims=True),
            ),
        ),
        applies=_distributes,
    ),
    Mistake(
        name="softmax_jacobian_no_diagonal",
        family="softmax Jacobian",
        produces="dS/dZ = −s·sᵀ",
        message="You left out diag(s). On the diagonal stands s_i·(1 − s_i), not −s_i².",
        variants=(_by_jacobian(lambda a, rows: -a * (rows * a).sum(axis=-1, keepdims=True)),),
        applies=_distributes,
    ),
    Mistake(
        name="softmax_jacobian_no_product",
        family="softmax Jacobian",
        produces="dS/dZ = diag(s)",
        message="You left out s·sᵀ. It comes from the denominator of the softmax.",
        variants=(_by_jacobian(lambda a, rows: rows * a),),
        applies=_distributes,
    ),
    Mistake(
        name="jacobian_columns_added",
        family="softmax Jacobian",
        produces="dS/dW = sum_outputs(t)",
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
        produces="S = softmax(softmax(Z))",
        message="You applied the softmax twice. Perhaps you gave probabilities to a function that applies it itself.",
        variants=(
            _in_place_of_softmax(lambda z: _softmax(_softmax(z))),
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
        produces="S = e^Z/sum_samples(e^Z)",
        message="You normalised over the samples. Divide each row by its sum over the classes: every row sums to 1.",
        variants=(_in_place_of_softmax(_over_batch),),
        applies=_distributes,
    ),
    Mistake(
        name="softmax_over_all",
        family="softmax",
        produces="S = e^Z/sum(e^Z)",
        message="You normalised over the whole array. Divide each row by its own sum: every row sums to 1.",
        variants=(_in_place_of_softmax(_over_all),),
        applies=lambda problem: _distributes(problem) and problem.n_samples > 1,
    ),
    Mistake(
        name="softmax_missing",
        family="softmax",
        produces="S = Z",
        message="You left out the softmax. The pre-activations Z are no probabilities.",
        variants=(_in_place_of_softmax(lambda z: z),),
        applies=_distributes,
    ),
    Mistake(
        name="exp_missing",
        family="softmax",
        produces="S = Z/sum_outputs(Z)",
        message="You left out the exponential. The softmax divides e^z by the sum of them, not z.",
        variants=(_in_place_of_softmax(lambda z: z / z.sum(axis=-1, keepdims=True)),),
        applies=_distributes,
    ),
    Mistake(
        name="sigmoid_for_softmax",
        family="softmax",
        produces="S = sigmoid(Z)",
        message=(
            "You took the sigmoid of each output on its own. The outputs of a softmax share one denominator "
            "and sum to 1."
        ),
        variants=(_in_place_of_softmax(ACTIVATIONS["sigmoid"].value),),
        applies=_distributes,
    ),
    Mistake(
        name="not_normalised",
        family="softmax",
        produces="S = e^Z",
        message="You did not divide by the sum of the exponentials. The softmax divides e^z by the sum of its row.",
        variants=(_in_place_of_softmax(np.exp),),
        applies=_distributes,
    ),
    Mistake(
        name="log_softmax_for_softmax",
        family="softmax",
        produces="S = ln(softmax(Z))",
        message="You took the logarithm of the probabilities. The outputs are the probabilities themselves.",
        variants=(_in_place_of_softmax(log_softmax),),
        applies=_distributes,
    ),
    Mistake(
        name="prediction_given",
        family="softmax",
        produces="S = onehot(Z) or S = argmax(Z)",
        message="You gave the predicted class. S has the probability of each class.",
        variants=(_in_place_of_softmax(one_hot),),
        transforms=(Transform(apply=_predicted, is_other=True),),
        applies=_distributes,
    ),
    Mistake(
        name="overflowed",
        family="softmax",
        produces="S = e^Z/sum_outputs(e^Z): no number where Z is above 709",
        message=(
            "Your exponentials overflow. Subtract the largest pre-activation of each row first; that changes no "
            "probability."
        ),
        variants=(
            (
                replace_rule("activation", lambda context, z: _unstabilised(z), where=is_softmax),
                replace_rule("losses", _naive_losses, where=is_softmax_loss),
            ),
        ),
        applies=_overflows,
    ),
)
