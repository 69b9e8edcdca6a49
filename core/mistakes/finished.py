"""Mistakes made with a finished answer: its orientation, its order, its scale."""

import numpy as np

from core.arrays import Array, Flags
from core.mistakes.mistake import Mistake, Transform
from core.nodes import logits_node, output_node, parameters_of
from core.problem import Problem
from core.quantities import Quantity
from core.steps import keep_convention

SAME_FACTOR_WITHIN = 1e-3
"""Two factors whose quotient is this near to 1, or to −1, are the same factor."""

MAX_DIVISOR = 100
"""The largest whole number that a division is recognised by: every small factor is near to 1 over some larger one."""


def _transposed(problem: Problem, quantity: Quantity, value: Array, number: float) -> Array | None:
    # the transpose of a vector is a column
    return np.swapaxes(value, -1, -2) if value.ndim > 1 else value[:, None] if value.ndim else None


def _is_weights_gradient(quantity: Quantity) -> bool:
    return quantity.is_gradient and quantity.is_by_weights


def _reshaped(problem: Problem, quantity: Quantity, value: Array, number: float) -> Array | None:
    # the row that stacks W by columns, put back by rows
    return value.ravel(order="F").reshape(value.shape) if _is_weights_gradient(quantity) else None


def _reshaped_back(problem: Problem, quantity: Quantity, value: Array, number: float) -> Array | None:
    return value.ravel().reshape(value.shape, order="F") if _is_weights_gradient(quantity) else None


def _row(problem: Problem, quantity: Quantity, value: Array, number: float) -> Array | None:
    return value.ravel(order="F") if _is_weights_gradient(quantity) else None


def _row_by_rows(problem: Problem, quantity: Quantity, value: Array, number: float) -> Array | None:
    return value.ravel() if _is_weights_gradient(quantity) else None


def _inputs_alone(problem: Problem, quantity: Quantity, value: Array, number: float) -> Array | None:
    if not quantity.matches("dZ{l}_dW{l}"):
        return None
    n_out = value.shape[1]
    # the first output's weights: a block of columns, or every n_out-th column
    is_block = problem.conventions.column_order == "columns_first"
    return value[:, 0, : value.shape[2] // n_out] if is_block else value[:, 0, ::n_out]


def _targets(problem: Problem, quantity: Quantity, value: Array, number: float) -> Array | None:
    outputs, logits = output_node(problem.network), logits_node(problem.network)
    is_like_them = quantity.key == outputs or (quantity.is_gradient and quantity.node in {outputs, logits})
    return problem.target_distribution() if is_like_them and problem.targets is not None else None


def _labels(problem: Problem, quantity: Quantity, value: Array, number: float) -> Array | None:
    found = _targets(problem, quantity, value, number)
    return None if found is None or not problem.has_labels else np.asarray(problem.targets, dtype=value.dtype)


def _scaled(problem: Problem, quantity: Quantity, value: Array, number: float) -> Array | None:
    return number * value


def _parameter(problem: Problem, quantity: Quantity) -> Array | None:
    return parameters_of(problem.network).get(quantity.node) if quantity.is_gradient else None


def _stepped(problem: Problem, quantity: Quantity, value: Array, number: float) -> Array | None:
    parameter = _parameter(problem, quantity)
    return None if parameter is None else parameter - number * value


def _is_no_sign(number: float) -> bool:
    return abs(abs(number) - 1.0) > SAME_FACTOR_WITHIN


def _scales(number: float) -> bool:
    return number > 0 and _is_no_sign(number) and not _divides(number)


@np.errstate(divide="ignore", invalid="ignore")
def _divides(numbers: Array | float) -> Flags:
    """Tell which factors divide by a whole number from 3 on, to within rounding."""
    divisors = np.rint(1.0 / np.asarray(numbers))
    return np.asarray(
        (divisors > 2) & (divisors <= MAX_DIVISOR) & (np.abs(numbers * divisors - 1.0) <= SAME_FACTOR_WITHIN)
    )


@np.errstate(divide="ignore")
def _to_division(numbers: Array) -> Array:
    return np.where(_divides(numbers), 1.0 / np.rint(1.0 / numbers), numbers)


def _say_transposed(problem: Problem, quantity: Quantity) -> str:
    if quantity.is_gradient and quantity.is_by_bias:
        return "You gave a column. The gradient has the shape of the bias, which has one axis."
    if quantity.is_jacobian:
        return "You swapped rows and columns. A row stands for an output, a column for what it is differentiated by."
    return "You swapped rows and columns."


FINISHED_MISTAKES = (
    Mistake(
        name="transposed",
        family="orientation",
        formula="tᵀ",
        message=_say_transposed,
        transforms=(Transform(apply=_transposed),),
    ),
    Mistake(
        name="reshaped_rows_first",
        family="orientation",
        formula="dL/dW = by_rows(vec(t))",
        message=(
            "You put the row of the chain back into the shape of W in another order than it stacks the weights. "
            "Your numbers are right, in the wrong places."
        ),
        transforms=(Transform(apply=_reshaped), Transform(apply=_reshaped_back)),
    ),
    Mistake(
        name="not_reshaped",
        family="orientation",
        formula="dL/dW = vec(t)",
        message=lambda problem, quantity: (
            "You gave one flat list. Put its numbers into the shape of W."
            if _is_weights_gradient(quantity)
            else "You gave one row. Put the numbers into the shape that is asked for."
        ),
        transforms=(Transform(apply=_row), Transform(apply=_row_by_rows)),
    ),
    Mistake(
        name="flattened_rows_first",
        family="orientation",
        formula="dZ/dW = rows_first(t)",
        message="Your columns follow the weights row by row. Here they follow them column by column.",
        variants=(keep_convention(("column_order", "rows_first"), "dZ{l}_dW{l}"),),
        applies=lambda problem: problem.conventions.column_order != "rows_first",
    ),
    Mistake(
        name="flattened_columns_first",
        family="orientation",
        formula="dZ/dW = columns_first(t)",
        message="Your columns follow the weights column by column. Here they follow them row by row.",
        variants=(keep_convention(("column_order", "columns_first"), "dZ{l}_dW{l}"),),
        applies=lambda problem: problem.conventions.column_order != "columns_first",
    ),
    Mistake(
        name="inputs_given_for_jacobian",
        family="orientation",
        formula="dZ/dW = X",
        message=(
            "You gave the inputs. The Jacobian has a row for each output and a column for each weight; the inputs "
            "stand in each row at the weights of its output."
        ),
        transforms=(Transform(apply=_inputs_alone),),
    ),
    Mistake(
        name="targets_given",
        family="labels",
        formula="S = Y or dL/dS = Y or dL/dZ = Y",
        message="You wrote down the targets. They are given; what is asked for is computed from them or beside them.",
        transforms=(Transform(apply=_targets, is_other=True), Transform(apply=_labels, is_other=True)),
        applies=lambda problem: problem.targets is not None,
    ),
    Mistake(
        name="all_zero",
        family="sign and scale",
        formula="0·t",
        message="Every entry of yours is 0. The right ones are not all 0.",
        transforms=(Transform(apply=lambda problem, quantity, value, number: np.zeros(value.shape)),),
    ),
    Mistake(
        name="divided_by_constant",
        family="sign and scale",
        formula="t/m",
        message="Your numbers are the right ones divided by a whole number. Look for a division that is too much.",
        transforms=(
            Transform(
                apply=_scaled,
                accepts=lambda number: bool(_divides(number)),
                examples=(1.0 / 7.0, 1.0 / 11.0),
                exact=_to_division,
            ),
        ),
    ),
    Mistake(
        name="scaled",
        family="sign and scale",
        formula="k·t",
        message=(
            "Your numbers are the right ones times one factor, the same for all. Look for a factor that is missing or "
            "does not belong here."
        ),
        transforms=(Transform(apply=_scaled, accepts=_scales, examples=(0.3, 7.0)),),
    ),
    Mistake(
        name="negated_step",
        family="sign and scale",
        formula="−η·t",
        message=lambda problem, quantity: (
            "You gave the step of descent: the gradient times a negative factor. Give the gradient itself."
            if quantity.is_gradient
            else "Your numbers are the right ones times one negative factor, the same for all."
        ),
        transforms=(
            Transform(apply=_scaled, accepts=lambda number: number < 0 and _is_no_sign(number), examples=(-0.1, -0.7)),
        ),
    ),
    Mistake(
        name="new_weights_given",
        family="sign and scale",
        formula="dL/dW = W − η·t",
        message="You gave the parameters after a step of descent. Give the gradient.",
        transforms=(Transform(apply=_stepped, accepts=lambda number: number > 0, examples=(0.1, 1.0)),),
    ),
)
