"""The forward rules, each with its local Jacobians beside it."""

from collections.abc import Sequence

import numpy as np

from core.arrays import Array
from core.formulas import parse_formula
from core.steps.context import RuleContext
from core.steps.rounding import Rounding
from core.steps.rounding_bounds import bound_activation, bound_local_activation
from core.steps.rules import FUNCTIONS, LocalJacobian, Rule


def _affine(context: RuleContext, inputs: Array, weights: Array, bias: Array | None = None) -> Array:
    product = inputs @ weights
    return product if bias is None else np.asarray(product + bias)


def _pull_affine_to_weights(context: RuleContext, rows: Array, inputs: Array) -> Array:
    # dZ/dvec(W) = I ⊗ xᵀ, so a row r becomes r ⊗ xᵀ, or xᵀ ⊗ r with W row by row; adding 0 turns -0 into 0
    stacked = rows[..., :, None] * inputs[..., None, None, :]
    if context.conventions.column_order == "rows_first":
        stacked = stacked.mT
    return np.asarray(stacked.reshape(*stacked.shape[:-2], -1) + 0.0)


def _bound_affine_to_weights(
    context: RuleContext, rounding: Rounding, errors: Sequence[Array], rows: Array, inputs: Array
) -> Array:
    return _pull_affine_to_weights(context, errors[0], np.abs(inputs)) + _pull_affine_to_weights(
        context, np.abs(rows), errors[1]
    )


def _affine_by_weights(context: RuleContext, inputs: Array) -> Array | None:
    if context.conventions.column_order == "rows_first":
        return None
    n_samples, n_in = inputs.shape
    n_out = context.layer.n_out
    matrix = np.zeros((n_samples, n_out, n_out, n_in), inputs.dtype)
    outputs = np.arange(n_out)
    matrix[:, outputs, outputs] = inputs[:, None, :] + 0.0
    return matrix.reshape(n_samples, n_out, -1)


def _activation_matrix(context: RuleContext, z: Array, a: Array) -> Array | None:
    return context.activation.jacobian(a) if context.activation.jacobian else None


def _pull_activation(context: RuleContext, rows: Array, z: Array, a: Array) -> Array:
    return context.activation.vjp(z[..., None, :], a[..., None, :], rows)


def _pull_from_outputs(context: RuleContext, rows: Array, z: Array, a: Array) -> Array:
    # the slope as textbooks write it, for an a that need not be f(z)
    activation, a = context.activation, a[..., None, :]
    if activation.gives_distribution:
        # `vjp` assumes that a sums to 1
        return np.asarray(a * (rows - (a * rows).sum(axis=-1, keepdims=True)))
    return _pull_activation(context, rows, z, a[..., 0, :]) if activation.slope is None else rows * activation.slope(a)


FORWARD_RULES = (
    Rule(
        name="affine",
        output="Z{l}",
        inputs={"X": "A{l-1}", "W": "W{l}", "b": "b{l}?"},
        quantity="pre_activations",
        formula=parse_formula("X·W + b"),
        # every layer of every call has it: the formula takes twice as long where arrays are small
        exact=_affine,
        shape="(n_samples, n_out)",
        why="Each output adds up the sample's inputs, each times its weight, and its bias where it has one.",
        jacobians={
            "A{l-1}": LocalJacobian(
                by="inputs",
                formula=parse_formula("Wᵀ"),
                shape="(n_samples, n_out, n_in)",
                why="An input enters each output times its weight, so row i holds the weights that lead to output i.",
                inputs=("W{l}",),
                pull=lambda context, rows, weights: rows @ weights.mT,
                rounding_bound=lambda context, rounding, errors, rows, weights: errors[0] @ np.abs(weights).T,
            ),
            "W{l}": LocalJacobian(
                by="weights",
                formula=parse_formula("I⊗xᵀ"),
                shape="(n_samples, n_out, n_in·n_out)",
                why="Output i takes only the weights of its own column of W, each times its input; all others give 0.",
                inputs=("A{l-1}",),
                pull=_pull_affine_to_weights,
                matrix=_affine_by_weights,
                rounding_bound=_bound_affine_to_weights,
            ),
            "b{l}": LocalJacobian(
                by="bias",
                formula=parse_formula("I"),
                shape="(n_samples, n_out, n_out)",
                why="Each output has its own bias, which is added to it alone.",
                inputs=(),
                pull=lambda context, rows: rows,
                rounding_bound=lambda context, rounding, errors, rows: errors[0],
            ),
        },
    ),
    Rule(
        name="activation",
        output="A{l}",
        inputs={"Z": "Z{l}"},
        quantity="activations",
        formula=parse_formula("f(Z)", FUNCTIONS),
        shape="(n_samples, n_out)",
        why="The activation is applied to each pre-activation; a softmax, to each row.",
        exact=lambda context, z: context.activation.value(z),
        bound=bound_activation,
        jacobians={
            "Z{l}": LocalJacobian(
                by="pre_activations",
                formula=parse_formula("diag(f′(z))", FUNCTIONS),
                shape="(n_samples, n_out, n_out)",
                why="Entry (i, k) says how activation i moves with pre-activation k: only i = k counts where each is "
                "computed from its own, and in a softmax all of them.",
                inputs=("Z{l}", "A{l}"),
                pull=_pull_activation,
                from_outputs=_pull_from_outputs,
                matrix=_activation_matrix,
                rounding_bound=bound_local_activation,
            ),
        },
    ),
)
