"""Mistakes in the softmax: its value, and its Jacobian."""

from collections.abc import Callable

import numpy as np

from core.activations import ACTIVATIONS
from core.arrays import Array
from core.mistakes.mistake import Mistake, Transform, Way
from core.mistakes.places import is_softmax, is_softmax_loss
from core.problem import Problem
from core.quantities import Quantity, split_node
from core.steps import Place, evaluate, replace_rule

LARGEST_EXPONENT = 709.0
"""e to more than this does not fit float64."""


def _in_place_of_softmax(value: Callable[[Array], Array]) -> Way:
    return (replace_rule("activation", lambda place, z: value(z), where=is_softmax),)


def _by_jacobian(vjp: Callable[[Array, Array], Array]) -> Way:
    """Put a wrong Jacobian everywhere: ``vjp(a, rows)`` multiplies rows by it."""

    def through_the_loss(place: Place, z: Array, a: Array, y: Array, divisor: Array, unit: Array) -> Array:
        return vjp(a, place.loss.grad_outputs(z, a, y) / (divisor * unit))

    return (
        replace_rule("logits_gradient", through_the_loss, where=is_softmax_loss),
        replace_rule("activation_gradient", lambda place, grad, z, a: vjp(a, grad), where=is_softmax),
        replace_rule("dA{l}_dZ{l}", lambda place, rows, z, a: vjp(a[..., None, :], rows), where=is_softmax),
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


def _naive_losses(place: Place, z: Array, a: Array, y: Array, unit: Array) -> Array:
    return np.asarray(-(y * np.log(a)).sum(axis=-1) / unit)


def _overflows(problem: Problem) -> bool:
    logits = f"Z{problem.network.depth}"
    return problem.network.gives_distribution and bool(
        np.abs(evaluate(problem, [logits])[logits]).max() > LARGEST_EXPONENT
    )


def _diagonals(problem: Problem, quantity: Quantity, value: Array, number: float) -> Array | None:
    of, by = split_node(quantity.of), split_node(quantity.by or "X")
    is_local = (of[0], by[0]) == ("A", "Z") and of[1] == by[1]
    return np.diagonal(value, axis1=1, axis2=2) if is_local else None


def _distributes(problem: Problem) -> bool:
    return problem.network.gives_distribution


SOFTMAX_MISTAKES = (
    Mistake(
        name="softmax_jacobian_diagonal",
        family="softmax Jacobian",
        produces="diag(s∘(1 − s))",
        message="Only the diagonal s(1 − s) is there; each probability depends on every pre-activation, because "
        "all of them are in the denominator.",
        ways=(_by_jacobian(lambda a, rows: rows * a * (1.0 - a)),),
        transforms=(Transform(apply=_diagonals),),
        applies=_distributes,
    ),
    Mistake(
        name="softmax_jacobian_sign",
        family="softmax Jacobian",
        produces="diag(s) + s·sᵀ − 2 diag(s²)",
        message="Off the diagonal the sign is wrong: raising one pre-activation lowers every other probability.",
        ways=(
            _by_jacobian(
                lambda a, rows: rows * a * (1.0 - 2.0 * a) + a * (rows * a).sum(axis=-1, keepdims=True),
            ),
        ),
        applies=_distributes,
    ),
    Mistake(
        name="softmax_jacobian_no_diagonal",
        family="softmax Jacobian",
        produces="−s·sᵀ",
        message="The term diag(s) is missing: the diagonal is s(1 − s), not −s².",
        ways=(_by_jacobian(lambda a, rows: -a * (rows * a).sum(axis=-1, keepdims=True)),),
        applies=_distributes,
    ),
    Mistake(
        name="softmax_jacobian_no_product",
        family="softmax Jacobian",
        produces="diag(s)",
        message="The term s·sᵀ is missing: it comes from the denominator.",
        ways=(_by_jacobian(lambda a, rows: rows * a),),
        applies=_distributes,
    ),
    Mistake(
        name="softmax_twice",
        family="softmax",
        produces="softmax(softmax(Z))",
        message="The softmax is applied twice, perhaps by a loss that applies it itself.",
        ways=(
            _in_place_of_softmax(lambda z: _softmax(_softmax(z))),
            (
                replace_rule(
                    "losses",
                    lambda place, z, a, y, unit: place.loss.value(_softmax(a), y) / unit,
                    where=is_softmax_loss,
                ),
                replace_rule(
                    "logits_gradient",
                    lambda place, z, a, y, divisor, unit: (_softmax(a) - y) / (divisor * unit),
                    where=is_softmax_loss,
                ),
            ),
        ),
        applies=_distributes,
    ),
    Mistake(
        name="softmax_over_batch",
        family="softmax",
        produces="softmax over the samples",
        message="The probabilities are normalised over the samples; each row, one sample, has to sum to 1.",
        ways=(_in_place_of_softmax(_over_batch),),
        applies=_distributes,
    ),
    Mistake(
        name="softmax_over_all",
        family="softmax",
        produces="e^Z / Σ e^Z",
        message="The probabilities are normalised over the whole array; each row, one sample, has to sum to 1.",
        ways=(_in_place_of_softmax(_over_all),),
        applies=lambda problem: _distributes(problem) and problem.n_samples > 1,
    ),
    Mistake(
        name="softmax_missing",
        family="softmax",
        produces="Z",
        message="These are the pre-activations; the softmax that makes probabilities of them is missing.",
        ways=(_in_place_of_softmax(lambda z: z),),
        applies=_distributes,
    ),
    Mistake(
        name="exp_missing",
        family="softmax",
        produces="Z / ΣZ",
        message="The exponential is missing: a softmax divides e^z by the sum of them, not z.",
        ways=(_in_place_of_softmax(lambda z: z / z.sum(axis=-1, keepdims=True)),),
        applies=_distributes,
    ),
    Mistake(
        name="sigmoid_for_softmax",
        family="softmax",
        produces="1 / (1 + e^−Z)",
        message="This is the sigmoid of each output on its own; the outputs of a softmax compete and sum to 1.",
        ways=(_in_place_of_softmax(ACTIVATIONS["sigmoid"].value),),
        applies=_distributes,
    ),
    Mistake(
        name="overflowed",
        family="softmax",
        produces="NaN where a pre-activation exceeds about 709",
        message="The exponential overflows: subtract each row's largest pre-activation first, which changes nothing "
        "else.",
        ways=(
            (
                replace_rule("activation", lambda place, z: _unstabilised(z), where=is_softmax),
                replace_rule("losses", _naive_losses, where=is_softmax_loss),
            ),
        ),
        applies=_overflows,
    ),
)
