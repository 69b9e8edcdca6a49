"""Mistakes in the gradient by the output layer's pre-activations, where softmax and cross-entropy meet."""

from collections.abc import Callable

import numpy as np

from core.arrays import Array
from core.mistakes.conditions import is_batch, is_fused, is_last, is_softmax_loss, one_hot
from core.mistakes.mistake import Mistake, Variant
from core.mistakes.wording import outputs_of
from core.problem import Problem
from core.steps import RuleContext, Where, adjust_rule, replace_rule


def _instead(value: Callable[[Array, Array, Array], Array], *, where: Where = is_softmax_loss) -> Variant:
    """Put ``value(z, a, y)``, over N and the logarithm of its base, in place of S − Y."""

    def apply(context: RuleContext, z: Array, a: Array, y: Array, divisor: Array, log_of_base: Array) -> Array:
        return value(z, a, y) / (divisor * log_of_base)

    return (replace_rule("logits_gradient", apply, where=where),)


def _of_true_class(a: Array, y: Array) -> Array:
    return np.take_along_axis(a, y.argmax(axis=-1, keepdims=True), axis=-1)


def _has_labels(problem: Problem) -> bool:
    return problem.has_labels


def _shifted(step: int) -> Variant:
    return (
        adjust_rule(
            "targets",
            lambda exact, context: np.roll(exact(), step, axis=-1),
            where=lambda context: context.problem.network.gives_distribution,
        ),
    )


def _not_differentiated(
    context: RuleContext, z: Array, a: Array, y: Array, divisor: Array, log_of_base: Array
) -> Array:
    return context.loss.grad_outputs(z, a, y) / (divisor * log_of_base)


LOGITS_MISTAKES = (
    Mistake(
        name="softmax_not_differentiated",
        family="logits gradient",
        produces="dL/dZ = dL/dS",
        message=lambda problem, quantity: (
            f"You stopped at the outputs. Multiply dL/d{outputs_of(problem)} by the derivative of the "
            f"{problem.network.output_activation} as well."
        ),
        variants=(
            (
                replace_rule("logits_gradient", _not_differentiated, where=is_fused),
                replace_rule(
                    "activation_gradient",
                    lambda context, grad, z, a: grad,
                    where=lambda context: is_last(context) and context.activation.gives_distribution,
                ),
            ),
        ),
    ),
    Mistake(
        name="one_hot_missing",
        family="logits gradient",
        produces="dL/dZ = S/N",
        message=lambda problem, quantity: (
            f"You did not subtract the targets. The gradient by the pre-activations contains {outputs_of(problem)} − Y."
        ),
        variants=(_instead(lambda z, a, y: a, where=is_fused),),
    ),
    Mistake(
        name="one_hot_added",
        family="logits gradient",
        produces="dL/dZ = (S + Y)/N",
        message=lambda problem, quantity: (
            "You added the targets. Subtract them: the gradient by the pre-activations contains "
            f"{outputs_of(problem)} − Y."
        ),
        variants=(_instead(lambda z, a, y: a + y, where=is_fused),),
    ),
    Mistake(
        name="one_hot_per_class",
        family="logits gradient",
        produces="dL/dZ = (S − 1)/N or dL/dZ = (S − K·Y)/N",
        message="You subtracted the target more than once. Subtract each entry of Y once, from its own class.",
        variants=(_instead(lambda z, a, y: a - 1.0), _instead(lambda z, a, y: a - y.shape[-1] * y)),
    ),
    Mistake(
        name="true_probability_for_all",
        family="logits gradient",
        produces="dL/dZ = (p − Y)/N",
        message="You used one probability in every entry of a row. Each class has its own.",
        variants=(_instead(lambda z, a, y: _of_true_class(a, y) - y),),
    ),
    Mistake(
        name="index_swapped",
        family="logits gradient",
        produces="dL/dZ = (sum_outputs(S∘Y) − Y)/N",
        message=(
            "You summed s_k·y_k over the classes, so every entry starts from the same number. In entry i, s_i comes "
            "out of the sum: s_i·Σ y_k − y_i = s_i − y_i."
        ),
        variants=(_instead(lambda z, a, y: (a * y).sum(axis=-1, keepdims=True) - y),),
    ),
    Mistake(
        name="logits_for_probabilities",
        family="logits gradient",
        produces="dL/dZ = (Z − Y)/N",
        message=lambda problem, quantity: (
            "You subtracted the targets from the pre-activations Z. Subtract them from the outputs "
            f"{outputs_of(problem)}."
        ),
        variants=(_instead(lambda z, a, y: z - y, where=is_fused),),
    ),
    Mistake(
        name="prediction_for_probabilities",
        family="logits gradient",
        produces="dL/dZ = (onehot(S) − Y)/N",
        message="You put the predicted class in place of the probabilities S. Subtract the targets from S.",
        variants=(_instead(lambda z, a, y: one_hot(a) - y),),
    ),
    Mistake(
        name="extra_output_derivative",
        family="logits gradient",
        produces="dL/dZ = (S − Y)∘S∘(1 − S)/N",
        message=lambda problem, quantity: (
            f"You multiplied by the derivative of the {problem.network.output_activation} once more. "
            f"{outputs_of(problem)} − Y contains it already."
        ),
        variants=(_instead(lambda z, a, y: (a - y) * a * (1.0 - a), where=is_fused),),
    ),
    Mistake(
        name="label_shifted",
        family="labels",
        produces="dL/dZ = (S − Y′)/N",
        message="Your labels are off by one class. Classes count from 0.",
        variants=(_shifted(1), _shifted(-1)),
        applies=_has_labels,
    ),
    Mistake(
        name="label_of_first_sample",
        family="labels",
        produces="dL/dZ = (S − first(Y))/N",
        message="You used the first sample's target for every sample. Each row has its own.",
        variants=(_instead(lambda z, a, y: a - y[..., :1, :]),),
        applies=is_batch,
    ),
    Mistake(
        name="labels_of_whole_batch",
        family="labels",
        produces="dL/dZ = (S − max_samples(Y))/N",
        message=(
            "You subtracted 1 at the labels of the whole batch in each row. A sample has one label: index rows "
            "and labels together."
        ),
        variants=(_instead(lambda z, a, y: a - (y > 0).any(axis=-2, keepdims=True)),),
        applies=lambda problem: is_batch(problem) and problem.has_labels,
    ),
)
