"""Mistakes in the gradient by the output layer's pre-activations, where softmax and cross-entropy meet."""

from collections.abc import Callable

import numpy as np

from core.arrays import Array
from core.mistakes.mistake import Mistake, Way
from core.mistakes.places import is_batch, is_fused, is_last, is_softmax_loss, one_hot
from core.problem import Problem
from core.steps import Place, replace_rule
from core.steps.changes import Where, adjust_rule


def _instead(value: Callable[[Array, Array, Array], Array], *, where: Where = is_softmax_loss) -> Way:
    """Put ``value(z, a, y)``, over N and the logarithm's unit, in place of S − Y."""

    def apply(place: Place, z: Array, a: Array, y: Array, divisor: Array, unit: Array) -> Array:
        return value(z, a, y) / (divisor * unit)

    return (replace_rule("logits_gradient", apply, where=where),)


def _of_true_class(a: Array, y: Array) -> Array:
    return np.take_along_axis(a, y.argmax(axis=-1, keepdims=True), axis=-1)


def _has_labels(problem: Problem) -> bool:
    return problem.has_labels


def _shifted(step: int) -> Way:
    return (
        adjust_rule(
            "targets",
            lambda exact, place: np.roll(exact(), step, axis=-1),
            where=lambda place: place.problem.network.gives_distribution,
        ),
    )


def _not_differentiated(place: Place, z: Array, a: Array, y: Array, divisor: Array, unit: Array) -> Array:
    return place.loss.grad_outputs(z, a, y) / (divisor * unit)


LOGITS_MISTAKES = (
    Mistake(
        name="softmax_not_differentiated",
        family="logits gradient",
        produces="(−Y/S)/N",
        message="The chain stops at the outputs: the derivative of the output activation is missing.",
        ways=(
            (
                replace_rule("logits_gradient", _not_differentiated, where=is_fused),
                replace_rule(
                    "activation_gradient",
                    lambda place, grad, z, a: grad,
                    where=lambda place: is_last(place) and place.activation.gives_distribution,
                ),
            ),
        ),
    ),
    Mistake(
        name="one_hot_missing",
        family="logits gradient",
        produces="S/N",
        message="The targets are not subtracted: the gradient by the pre-activations is outputs minus targets.",
        ways=(_instead(lambda z, a, y: a, where=is_fused),),
    ),
    Mistake(
        name="one_hot_added",
        family="logits gradient",
        produces="(S + Y)/N",
        message="The targets are added where they have to be subtracted.",
        ways=(_instead(lambda z, a, y: a + y, where=is_fused),),
    ),
    Mistake(
        name="one_hot_per_class",
        family="logits gradient",
        produces="(S − 1)/N, (S − K·Y)/N",
        message="The term of the target counts once, for its own class; here every class has it, or it counts once "
        "for each class.",
        ways=(_instead(lambda z, a, y: a - 1.0), _instead(lambda z, a, y: a - y.shape[-1] * y)),
    ),
    Mistake(
        name="true_probability_for_all",
        family="logits gradient",
        produces="(p_y − Y)/N",
        message="The probability of the right class stands in every entry; each class has a probability of its own.",
        ways=(_instead(lambda z, a, y: _of_true_class(a, y) - y),),
    ),
    Mistake(
        name="index_swapped",
        family="logits gradient",
        produces="(Σ p_k·y_k − Y)/N",
        message="The index of the sum and that of the entry are swapped: entry i has s_i · Σ y_k, not Σ s_k · y_k.",
        ways=(_instead(lambda z, a, y: (a * y).sum(axis=-1, keepdims=True) - y),),
    ),
    Mistake(
        name="logits_for_probabilities",
        family="logits gradient",
        produces="(Z − Y)/N",
        message="The targets are subtracted from the pre-activations; they belong to the outputs.",
        ways=(_instead(lambda z, a, y: z - y, where=is_fused),),
    ),
    Mistake(
        name="prediction_for_probabilities",
        family="logits gradient",
        produces="(onehot(argmax S) − Y)/N",
        message="The predicted class stands in place of the probabilities, which the gradient needs themselves.",
        ways=(_instead(lambda z, a, y: one_hot(a) - y),),
    ),
    Mistake(
        name="extra_output_derivative",
        family="logits gradient",
        produces="(S − Y)∘S∘(1 − S)/N",
        message="Outputs minus targets has the derivative of the output activation in it already; here it is "
        "multiplied in once more.",
        ways=(_instead(lambda z, a, y: (a - y) * a * (1.0 - a), where=is_fused),),
    ),
    Mistake(
        name="label_shifted",
        family="labels",
        produces="Y rolled by one class",
        message="The labels are off by one class; they count from 0.",
        ways=(_shifted(1), _shifted(-1)),
        applies=_has_labels,
    ),
    Mistake(
        name="label_of_first_sample",
        family="labels",
        produces="(S − Y₀)/N",
        message="The first sample's label is used for every sample.",
        ways=(_instead(lambda z, a, y: a - y[..., :1, :]),),
        applies=is_batch,
    ),
    Mistake(
        name="labels_of_whole_batch",
        family="labels",
        produces="1 subtracted at every label of the batch, in every row",
        message="Each row has the labels of the whole batch subtracted; a sample has its own label only: index rows "
        "and labels together.",
        ways=(_instead(lambda z, a, y: a - (y > 0).any(axis=-2, keepdims=True)),),
        applies=lambda problem: is_batch(problem) and problem.has_labels,
    ),
)
