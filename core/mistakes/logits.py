"""Mistakes in the gradient by the output layer's pre-activations, where softmax and cross-entropy meet."""

import numpy as np

from core.formulas import Edit, drop, put, replace_part
from core.mistakes.conditions import is_batch, is_fused, is_last, is_softmax_loss
from core.mistakes.mistake import Mistake, Variant
from core.mistakes.wording import outputs_of
from core.problem import Problem
from core.steps import RULES, Where, adjust_rule, edit_rule, replace_rule


def _instead(edit: Edit, *, where: Where = is_softmax_loss) -> Variant:
    return (edit_rule("logits_gradient", edit, where=where),)


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


LOGITS_MISTAKES = (
    Mistake(
        name="softmax_not_differentiated",
        family="logits gradient",
        formula="dL/dZ = dL/dS",
        message=lambda problem, quantity: (
            f"You stopped at the outputs. Multiply dL/d{outputs_of(problem)} by the derivative of the "
            f"{problem.network.output_activation} as well."
        ),
        variants=(
            (
                replace_rule("logits_gradient", RULES["loss_gradient"].apply, where=is_fused),
                edit_rule(
                    "activation_gradient",
                    put("dL/dA"),
                    where=lambda context: is_last(context) and context.activation.gives_distribution,
                ),
            ),
        ),
    ),
    Mistake(
        name="one_hot_missing",
        family="logits gradient",
        message=lambda problem, quantity: (
            f"You did not subtract the targets. The gradient by the pre-activations contains {outputs_of(problem)} − Y."
        ),
        variants=(_instead(drop("Y"), where=is_fused),),
    ),
    Mistake(
        name="one_hot_added",
        family="logits gradient",
        message=lambda problem, quantity: (
            "You added the targets. Subtract them: the gradient by the pre-activations contains "
            f"{outputs_of(problem)} − Y."
        ),
        variants=(_instead(replace_part("A − Y", "A + Y"), where=is_fused),),
    ),
    Mistake(
        name="one_hot_per_class",
        family="logits gradient",
        message="You subtracted the target more than once. Subtract each entry of Y once, from its own class.",
        variants=(_instead(replace_part("Y", "1")), _instead(replace_part("Y", "K·Y"))),
    ),
    Mistake(
        name="true_probability_for_all",
        family="logits gradient",
        message="You used one probability in every entry of a row. Each class has its own.",
        variants=(_instead(replace_part("A", "sum_outputs(A∘onehot(Y))")),),
    ),
    Mistake(
        name="index_swapped",
        family="logits gradient",
        message=(
            "You summed s_k·y_k over the classes, so every entry starts from the same number. In entry i, s_i comes "
            "out of the sum: s_i·Σ y_k − y_i = s_i − y_i."
        ),
        variants=(_instead(replace_part("A", "sum_outputs(A∘Y)")),),
    ),
    Mistake(
        name="logits_for_probabilities",
        family="logits gradient",
        message=lambda problem, quantity: (
            "You subtracted the targets from the pre-activations Z. Subtract them from the outputs "
            f"{outputs_of(problem)}."
        ),
        variants=(_instead(replace_part("A", "Z"), where=is_fused),),
    ),
    Mistake(
        name="prediction_for_probabilities",
        family="logits gradient",
        message="You put the predicted class in place of the probabilities S. Subtract the targets from S.",
        variants=(_instead(replace_part("A", "onehot(A)")),),
    ),
    Mistake(
        name="extra_output_derivative",
        family="logits gradient",
        message=lambda problem, quantity: (
            f"You multiplied by the derivative of the {problem.network.output_activation} once more. "
            f"{outputs_of(problem)} − Y contains it already."
        ),
        variants=(_instead(replace_part("A − Y", "(A − Y)∘A∘(1 − A)"), where=is_fused),),
    ),
    Mistake(
        name="label_shifted",
        family="labels",
        formula="dL/dZ = (S − Y′)/N",
        message="Your labels are off by one class. Classes count from 0.",
        variants=(_shifted(1), _shifted(-1)),
        applies=_has_labels,
    ),
    Mistake(
        name="label_of_first_sample",
        family="labels",
        message="You used the first sample's target for every sample. Each row has its own.",
        variants=(_instead(replace_part("Y", "first(Y)")),),
        applies=is_batch,
    ),
    Mistake(
        name="labels_of_whole_batch",
        family="labels",
        message=(
            "You subtracted 1 at the labels of the whole batch in each row. A sample has one label: index rows "
            "and labels together."
        ),
        variants=(_instead(replace_part("Y", "max_samples(Y)")),),
        applies=lambda problem: is_batch(problem) and problem.has_labels,
    ),
)
