"""Mistakes in the forward pass of a layer and on the way back through it."""

from dataclasses import replace

from core.activations import ACTIVATIONS
from core.arrays import Array
from core.conventions import RELU_SLOPES
from core.formulas import Apply, Edit, Name, drop, put, replace_part
from core.mistakes.conditions import has_slope
from core.mistakes.mistake import Mistake, Variant
from core.problem import Problem
from core.steps import RULES, SLOPE, Change, RuleContext, Where, edit_rule, keep_convention, replace_rule

LEARNING_RATES = (1.0, 0.5, 0.1)
"""Those that exercises use; a step with one of them is recognised."""


def _slope(edit: Edit, *, where: Where = has_slope) -> Variant:
    return with_local_jacobian(edit_rule("activation_gradient", edit, where=where))


def with_local_jacobian(change: Change) -> Variant:
    """Make a change of the gradient through an activation in its local Jacobian as well.

    Parameters
    ----------
    change : Change
        Of the rule ``activation_gradient``; a local Jacobian's rows are multiplied as dL/dA is.

    Returns
    -------
    tuple of Change
    """

    def pull(exact: None, context: RuleContext, rows: Array, z: Array, a: Array) -> Array:
        return change.apply(exact, context, rows, z[..., None, :], a[..., None, :])

    return (change, replace(change, rule="dA{l}_dZ{l}", apply=pull))


def _is_written_in_a(context: RuleContext) -> bool:
    return context.activation.slope is not None


def _is_other(name: str) -> Where:
    return lambda context: not context.activation.gives_distribution and context.layer.activation != name


def _with_activation(name: str) -> Variant:
    """Put another activation in a layer's place, its value and its slope."""
    other, where = ACTIVATIONS[name], _is_other(name)
    slope = replace_rule("activation_gradient", lambda context, grad, z, a: other.vjp(z, a, grad), where=where)
    return (
        edit_rule("activation", put(other.formula), where=where, exact=lambda context, z: other.value(z)),
        *with_local_jacobian(slope),
    )


def _is_relu(context: RuleContext) -> bool:
    return context.layer.activation == "relu"


def _is_square(context: RuleContext) -> bool:
    return context.layer.n_in == context.layer.n_out > 1


def _has_bias(problem: Problem) -> bool:
    return any(layer.bias is not None for layer in problem.network.layers)


def _slope_of(name: str) -> tuple[Variant, ...]:
    """Put another activation's slope in a layer's place: at z, and written with the layer's own a."""
    other, at_z = ACTIVATIONS[name], Apply(f"{name}′", (Name("Z"),))
    slopes = (at_z, other.derivative) if other.slope else (at_z,)
    return tuple(_slope(replace_part(SLOPE, slope), where=_is_other(name)) for slope in slopes)


def _stepped(rate: float) -> Variant:
    step = replace_part("W", f"W − {rate}·dL/dW")
    return (edit_rule("grad_inputs", step, extra={"dL/dW": "dL_dW{l}"}),)


LAYER_MISTAKES = (
    Mistake(
        name="bias_ignored",
        family="forward pass",
        message="You left out the bias: Z = X·W + b.",
        variants=((edit_rule("affine", drop("b")),),),
        applies=_has_bias,
    ),
    Mistake(
        name="bias_added_twice",
        family="forward pass",
        message="You added the bias twice: Z = X·W + b.",
        variants=((edit_rule("affine", replace_part("b", "2·b")),),),
        applies=_has_bias,
    ),
    Mistake(
        name="activation_missing",
        family="forward pass",
        message="You left out a layer's activation. Its outputs are f(Z), not Z.",
        variants=(_with_activation("identity"),),
    ),
    Mistake(
        name="other_activation",
        family="forward pass",
        message="You used another activation than the layer's own. The problem names it.",
        variants=tuple(_with_activation(name) for name in ("sigmoid", "tanh", "relu")),
    ),
    Mistake(
        name="activation_derivative_dropped",
        family="way back",
        message="You left out the derivative of the activation. dL/dZ is dL/dA times f′(Z).",
        variants=(_slope(put("dL/dA")),),
    ),
    Mistake(
        name="derivative_at_activation",
        family="way back",
        message="You took the derivative of the activation at A = f(Z). Take f′ at Z.",
        variants=(_slope(replace_part("Z", "A")),),
    ),
    Mistake(
        name="derivative_fed_pre_activation",
        family="way back",
        formula="dL/dZ = dL/dA∘Z∘(1 − Z) or dL/dZ = dL/dA∘(1 − Z∘Z)",
        message="You put Z into the derivative that is written in terms of A. Put the activations A in.",
        variants=(
            with_local_jacobian(
                replace_rule(
                    "activation_gradient",
                    # an edit of what the activation puts in the place of f′(Z)
                    lambda context, grad, z, a: RULES["activation_gradient"].by_formula(context, grad, z, z),
                    where=_is_written_in_a,
                ),
            ),
        ),
    ),
    Mistake(
        name="derivative_of_other_activation",
        family="way back",
        message="You used the derivative of another activation than the layer's own.",
        variants=(*_slope_of("sigmoid"), *_slope_of("tanh"), *_slope_of("relu")),
    ),
    Mistake(
        name="value_for_derivative",
        family="way back",
        message="You multiplied by the activation f(Z). Multiply by its derivative f′(Z).",
        variants=(_slope(replace_part(SLOPE, "A")),),
    ),
    Mistake(
        name="derivative_of_gradient",
        family="way back",
        message=(
            "You took the derivative of the activation at the incoming gradient dL/dA. Take f′ at Z, "
            "and multiply dL/dA by it."
        ),
        variants=((edit_rule("activation_gradient", replace_part("Z", "dL/dA"), where=has_slope),),),
    ),
    Mistake(
        name="relu_slope_at_zero",
        family="way back",
        formula="dL/dZ = dL/dA∘(Z ≥ 0)",
        message="You took another slope of relu at 0 than here. Look at the entries where z is exactly 0.",
        variants=tuple(
            keep_convention(("relu_at_zero", slope), "activation_gradient", "dA{l}_dZ{l}", where=_is_relu)
            for slope in RELU_SLOPES
        ),
    ),
    Mistake(
        name="weights_not_transposed",
        family="way back",
        message=lambda problem, quantity: (
            "You used W where its transpose belongs: "
            f"{'dZ/dX = Wᵀ' if quantity.is_jacobian else 'dL/dX = dL/dZ·Wᵀ'}, X being the inputs of the layer."
        ),
        variants=(
            (
                edit_rule("grad_inputs", replace_part("Wᵀ", "W"), where=_is_square),
                replace_rule("dZ{l}_dA{l-1}", lambda context, rows, weights: rows @ weights, where=_is_square),
            ),
        ),
    ),
    Mistake(
        name="stepped_weights",
        family="way back",
        formula="dL/dX = dL/dZ·(W − η·dL/dW)ᵀ",
        message="You updated the weights first. Go back through the weights of the forward pass.",
        variants=tuple(_stepped(rate) for rate in LEARNING_RATES),
    ),
)
