"""Mistakes in the gradients of weights and biases."""

from core.formulas import put, replace_part
from core.mistakes.conditions import is_batch, is_handed_in
from core.mistakes.mistake import Mistake
from core.mistakes.wording import averages, name_count
from core.steps import RuleContext, edit_rule, everywhere, replace_rule

# What has another shape than the parameter has no place for its penalty: it is put in place of the whole formula.


def _is_hidden_above(context: RuleContext) -> bool:
    return context.number > 1


def _multiplies_inputs(context: RuleContext) -> bool:
    return _is_hidden_above(context) and is_handed_in(context, context.problem.n_features * context.layer.n_out)


PARAMETER_MISTAKES = (
    Mistake(
        name="wrong_cache",
        family="weights",
        message="You multiplied by another array than the inputs X of the layer: dL/dW is Xᵀ·dL/dZ.",
        variants=(
            (edit_rule("grad_weights", replace_part("X", "Z₋"), where=_is_hidden_above, extra={"Z₋": "Z{l-1}"}),),
            (
                edit_rule(
                    "grad_weights",
                    put("X₀ᵀ·dL/dZ"),
                    where=_multiplies_inputs,
                    reshapes=lambda context: context.problem.n_features != context.layer.n_in,
                    extra={"X₀": "X"},
                ),
            ),
            (
                edit_rule(
                    "grad_weights",
                    put("Aᵀ·dL/dZ"),
                    where=lambda context: is_handed_in(context, context.layer.n_out**2),
                    reshapes=lambda context: context.layer.n_out != context.layer.n_in,
                    extra={"A": "A{l}"},
                ),
            ),
        ),
    ),
    Mistake(
        name="averaged_before_product",
        family="weights",
        message="You averaged the inputs over the samples before you multiplied. Multiply sample by sample, then add.",
        variants=((edit_rule("grad_weights", replace_part("Xᵀ·dL/dZ", "mean_samples(X)ᵀ·sum_samples(dL/dZ)")),),),
        applies=is_batch,
    ),
    Mistake(
        name="inputs_missing",
        family="weights",
        message=(
            "You left out the inputs. The gradient of a weight is its input times the gradient of its output, "
            "added over the samples."
        ),
        variants=((edit_rule("grad_weights", replace_part("X", "ones(X)")),),),
    ),
    Mistake(
        name="last_sample_only",
        family="weights",
        message="You kept the last sample only. Add up the samples' terms instead of overwriting them.",
        variants=(
            (
                edit_rule("grad_weights", replace_part("Xᵀ·dL/dZ", "last(X)ᵀ·last(dL/dZ)")),
                edit_rule("grad_bias", replace_part("sum_samples(dL/dZ)", "last(dL/dZ)")),
            ),
        ),
        applies=is_batch,
    ),
    Mistake(
        name="samples_not_summed",
        family="weights",
        formula="dL/dW = outer(X, dL/dZ)",
        message="You gave one gradient for each sample. Add them up.",
        variants=(
            (
                # a matrix for each sample, which no formula of two axes is
                replace_rule(
                    "grad_weights",
                    lambda context, inputs, grad, *others: inputs[..., :, None] * grad[..., None, :],
                    where=lambda context: is_handed_in(context, context.problem.n_samples * context.layer.weights.size),
                    reshapes=everywhere,
                ),
            ),
        ),
        applies=is_batch,
    ),
    Mistake(
        name="bias_averaged",
        family="bias",
        message=lambda problem, quantity: (
            "You averaged dL/dZ over the samples. Add it up over the samples; "
            + (
                f"do not divide again: dL/dZ is already divided by {name_count(problem)}."
                if averages(problem)
                else "do not divide."
            )
        ),
        variants=((edit_rule("grad_bias", replace_part("sum_samples(dL/dZ)", "mean_samples(dL/dZ)")),),),
        applies=is_batch,
    ),
    Mistake(
        name="bias_summed_over_all",
        family="bias",
        message="You summed over the outputs. Sum over the samples: one number for each output.",
        variants=(
            (edit_rule("grad_bias", replace_part("sum_samples(dL/dZ)", "sum(dL/dZ)·ones(b)")),),
            (edit_rule("grad_bias", put("sum(dL/dZ)"), reshapes=everywhere),),
            (edit_rule("grad_bias", put("mean(dL/dZ)"), reshapes=everywhere),),
            (
                edit_rule(
                    "grad_bias",
                    put("sum_outputs(dL/dZ)"),
                    reshapes=lambda context: context.problem.n_samples != context.layer.n_out,
                ),
            ),
        ),
        applies=lambda problem: max(problem.network.widths[1:]) > 1,
    ),
    Mistake(
        name="bias_not_summed",
        family="bias",
        message=(
            "You did not add over the samples. The bias acts on every sample, so its gradient is the sum of the rows "
            "of dL/dZ."
        ),
        variants=(
            (edit_rule("grad_bias", put("dL/dZ"), reshapes=everywhere),),
            (edit_rule("grad_bias", replace_part("sum_samples(dL/dZ)", "first(dL/dZ)")),),
        ),
        applies=is_batch,
    ),
    Mistake(
        name="bias_times_inputs",
        family="bias",
        message=(
            "You multiplied by the inputs. The bias is multiplied by 1: its gradient is the sum of dL/dZ "
            "over the samples."
        ),
        variants=(
            (edit_rule("grad_bias", put("Xᵀ·dL/dZ"), reshapes=everywhere, extra={"X": "A{l-1}"}),),
            (edit_rule("grad_bias", replace_part("dL/dZ", "Xᵀ·dL/dZ"), extra={"X": "A{l-1}"}),),
        ),
    ),
)
