"""What can be changed about a problem to make it tell more, one thing at a time.

Every change keeps the activations, the loss, the conventions and the depth. It keeps the number of outputs
as well, unless it is the change of just that.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from core.arrays import Array
from core.exercises.redrawn import is_binary, redraw
from core.problem import Network, Problem
from core.registry import Registry
from core.steps import evaluate

MOST_DECIMALS = 12
"""An answer has at most this many decimals."""

ENOUGH_SAMPLES = 5
FEWEST_FEATURES = 3
FURTHER_DECIMALS = 2

SOME_ARE_HIDDEN = "some mistakes change no number or look like another mistake."

ChangedProblem = tuple[Problem, int]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ProblemChange:
    """One thing to change about a problem.

    Parameters
    ----------
    change : callable
        ``change(problem, decimals)`` gives the problem with other numbers in one respect, and the decimals
        of its answers; None where there is nothing to change, or where the change cannot be made.
    describe : callable
        ``describe(problem, decimals)`` says what is special about the problem, and what to do.
    """

    name: str
    change: Callable[[Problem, int], ChangedProblem | None]
    describe: Callable[[Problem, int], str]


def _describe_array(array: Array, plural: str) -> str:
    if (array == 0).all():
        return f"All {plural} are 0."
    if np.ptp(array) == 0 and array.flat[0] == 1:
        return f"All {plural} are 1."
    if np.ptp(array) == 0 and array.size > 1:
        return f"All {plural} are equal."
    if (array == 0).any():
        return f"Some {plural} are 0."
    return f"With these {plural}, {SOME_ARE_HIDDEN}"


def _other_inputs(problem: Problem, decimals: int) -> ChangedProblem:
    return replace(problem, inputs=redraw(problem, 1).inputs), decimals


def _describe_inputs(problem: Problem, decimals: int) -> str:
    return f"{_describe_array(problem.inputs, 'inputs')} Take inputs that all differ, none of them 0 or 1."


def _other_parameters(problem: Problem, field: str) -> Problem:
    redrawn = redraw(problem, 1).network.layers
    layers = tuple(
        replace(layer, **{field: getattr(other, field)})
        for layer, other in zip(problem.network.layers, redrawn, strict=True)
    )
    return replace(problem, network=Network(layers=layers))


def _biases(problem: Problem) -> list[Array]:
    return [layer.bias for layer in problem.network.layers if layer.bias is not None]


def _other_biases(problem: Problem, decimals: int) -> ChangedProblem | None:
    return (_other_parameters(problem, "bias"), decimals) if _biases(problem) else None


def _describe_biases(problem: Problem, decimals: int) -> str:
    biases = np.concatenate(_biases(problem))
    return f"{_describe_array(biases, 'biases')} Take biases that all differ, none of them 0."


def _other_weights(problem: Problem, decimals: int) -> ChangedProblem:
    return _other_parameters(problem, "weights"), decimals


def _describe_weights(problem: Problem, decimals: int) -> str:
    weights = np.concatenate([layer.weights.ravel() for layer in problem.network.layers])
    return f"{_describe_array(weights, 'weights')} Take weights that all differ, none of them 0."


def _other_targets(problem: Problem, decimals: int) -> ChangedProblem | None:
    targets = redraw(problem, 1).targets
    if targets is None or np.array_equal(targets, np.asarray(problem.targets)):
        return None
    return replace(problem, targets=targets), decimals


def _describe_targets(problem: Problem, decimals: int) -> str:
    targets = np.asarray(problem.targets)
    if problem.has_labels or is_binary(problem):
        plural = "labels" if problem.has_labels else "targets"
        are_equal = targets.size > 1 and np.ptp(targets) == 0
        found = f"All {plural} are equal." if are_equal else f"With these {plural}, {SOME_ARE_HIDDEN}"
        if targets.size < 3:
            return f"{found} Take other {plural}."
        values = "at least two classes" if problem.has_labels else "both 0 and 1"
        return f"{found} Use {values}, and not equally many of each."
    if problem.loss == "cross_entropy":
        return f"{_describe_array(targets, 'targets')} In each row, take probabilities that all differ, none of them 0."
    return f"{_describe_array(targets, 'targets')} Take targets that all differ, none of them 0."


def _unlike(taken: set[int], least: int) -> int:
    return next(n for n in range(least, least + len(taken) + 1) if n not in taken)


def _is_constant(array: Array) -> bool:
    return bool(np.ptp(array) == 0) and (array.size > 1 or array.flat[0] == 0)


def _resize(array: Array, other: Array) -> Array:
    """Keep an array where its shape stays, and otherwise what is special about its numbers."""
    if array.shape == other.shape:
        return array
    return np.full(other.shape, array.flat[0]) if _is_constant(array) else other


def _reshape(problem: Problem, *, n_samples: int | None = None, widths: Sequence[int] | None = None) -> Problem:
    """Change a problem's form and nothing else, so that what is told then speaks for the form alone."""
    redrawn = redraw(problem, 1, n_samples=n_samples, widths=widths)
    layers = tuple(
        replace(
            layer,
            weights=_resize(layer.weights, other.weights),
            bias=None if layer.bias is None or other.bias is None else _resize(layer.bias, other.bias),
        )
        for layer, other in zip(problem.network.layers, redrawn.network.layers, strict=True)
    )
    return replace(
        problem,
        network=Network(layers=layers),
        inputs=_resize(problem.inputs, redrawn.inputs),
        targets=_resize_targets(problem, redrawn),
    )


def _resize_targets(problem: Problem, redrawn: Problem) -> Array | None:
    old, new = problem.targets, redrawn.targets
    if old is None or new is None:
        return None
    if old.shape == new.shape:
        return old
    # one class only stays one class; equal probabilities are others where there are more classes
    is_kept = old.size > 1 and np.ptp(old) == 0 and old.shape[1:] == new.shape[1:]
    return np.full_like(new, old.flat[0]) if is_kept else new


def _other_count(problem: Problem) -> int:
    return _unlike({problem.n_samples, *problem.network.widths}, ENOUGH_SAMPLES)


def _more_samples(problem: Problem, decimals: int) -> ChangedProblem:
    return _reshape(problem, n_samples=_other_count(problem)), decimals


def _describe_samples(problem: Problem, decimals: int) -> str:
    count, taken = problem.n_samples, _other_count(problem)
    if count == 1:
        return (
            "With one sample, a mistake about the batch changes no number. If one sample is what you want, leave it "
            f"as it is. Otherwise take more samples, for example {taken}."
        )
    if count in problem.network.widths:
        return f"The number of samples, {count}, is also a width of the network. Take another one, for example {taken}."
    return f"With {count} samples, {SOME_ARE_HIDDEN} Take another number of samples, for example {taken}."


def _distinct_widths(problem: Problem, n_out: int) -> list[int]:
    """Make the inputs and the hidden layers differ in width, from each other and from everything else."""
    taken, widths = {problem.n_samples, n_out}, []
    for width in problem.network.widths[:-1]:
        widths.append(_unlike(taken, max(width, FEWEST_FEATURES)))
        taken.add(widths[-1])
    return [*widths, n_out]


def _other_widths(problem: Problem, decimals: int) -> ChangedProblem | None:
    widths = _distinct_widths(problem, problem.n_out)
    return None if tuple(widths) == problem.network.widths else (_reshape(problem, widths=widths), decimals)


def _name_widths(widths: Sequence[int]) -> str:
    inputs, *hidden, outputs = widths
    between = f", {', '.join(map(str, hidden))} hidden units" if hidden else ""
    return f"{inputs} inputs{between} and {outputs} output{'' if outputs == 1 else 's'}"


def _describe_widths(problem: Problem, decimals: int) -> str:
    taken = _name_widths(_distinct_widths(problem, problem.n_out))
    found = f"Some dimensions are equal or small. Then {SOME_ARE_HIDDEN}"
    return f"{found} Take dimensions that all differ, for example {taken}."


def _count_outputs(problem: Problem) -> int:
    """Return another number of outputs, or the same one where it is a matter of the task."""
    # one output is a yes or no, or a regression; a softmax of one class is neither
    if problem.n_out == 1 and not problem.network.gives_distribution:
        return 1
    return _unlike({problem.n_samples, *problem.network.widths[:-1]}, max(problem.n_out, FEWEST_FEATURES))


def _other_outputs(problem: Problem, decimals: int) -> ChangedProblem | None:
    n_out = _count_outputs(problem)
    if n_out == problem.n_out:
        return None
    return _reshape(problem, widths=[*problem.network.widths[:-1], n_out]), decimals


def _describe_outputs(problem: Problem, decimals: int) -> str:
    n_out, taken = problem.n_out, _count_outputs(problem)
    if n_out == 1:
        return f"A softmax over one class is always 1: there is nothing to learn. Take {taken} classes."
    if n_out == 2 and problem.network.gives_distribution:
        return (
            "With two classes, each row of dL/dZ is a number and its negative. If two classes are what you want, "
            f"leave it as it is. Otherwise take {taken} classes."
        )
    noun = "classes" if problem.network.gives_distribution else "outputs"
    found = f"With {n_out} {noun}, {SOME_ARE_HIDDEN}"
    return f"{found} If the task needs {n_out} {noun}, leave it as it is. Otherwise take {taken}."


def _further_decimals(decimals: int) -> int:
    return min(decimals + FURTHER_DECIMALS, MOST_DECIMALS)


def _more_decimals(problem: Problem, decimals: int) -> ChangedProblem | None:
    return None if decimals == MOST_DECIMALS else (problem, _further_decimals(decimals))


def _describe_decimals(problem: Problem, decimals: int) -> str:
    return f"Rounding to {decimals} decimals hides the difference. Ask for {_further_decimals(decimals)}."


def roomy_form(problem: Problem) -> Problem:
    """Draw a problem of the same task with nothing special about it: all dimensions and all numbers differ."""
    widths = _distinct_widths(problem, _count_outputs(problem))
    return redraw(problem, 1, n_samples=_unlike({*widths}, ENOUGH_SAMPLES), widths=widths)


def _everything(problem: Problem, decimals: int) -> ChangedProblem:
    return roomy_form(problem), _further_decimals(decimals)


def _describe_everything(problem: Problem, decimals: int) -> str:
    roomy = roomy_form(problem)
    return (
        "Several things hide these mistakes together. No single change is enough. Take for example "
        f"{roomy.n_samples} samples, {_name_widths(roomy.network.widths)}. Let all inputs and parameters differ, none "
        f"of them 0 or 1. Ask for {_further_decimals(decimals)} decimals."
    )


def _to_kink(problem: Problem, decimals: int) -> ChangedProblem | None:
    """Put one pre-activation of the first relu that has a bias on its kink."""
    layers = list(problem.network.layers)
    for number, layer in enumerate(layers, start=1):
        if layer.activation == "relu" and layer.bias is not None:
            layers[number - 1] = replace(layer, bias=np.zeros_like(layer.bias))
            without = evaluate(replace(problem, network=Network(layers=tuple(layers))), [f"Z{number}"])[f"Z{number}"]
            bias = layer.bias.copy()
            bias[0] = -without[0, 0]
            layers[number - 1] = replace(layer, bias=bias)
            return replace(problem, network=Network(layers=tuple(layers))), decimals
    return None


def _describe_kink(problem: Problem, decimals: int) -> str:
    return "No pre-activation of relu that counts is exactly 0. Choose a bias that makes one exactly 0."


PROBLEM_CHANGES: Registry[ProblemChange] = Registry(
    "change",
    ProblemChange(name="inputs", change=_other_inputs, describe=_describe_inputs),
    ProblemChange(name="biases", change=_other_biases, describe=_describe_biases),
    ProblemChange(name="targets", change=_other_targets, describe=_describe_targets),
    ProblemChange(name="weights", change=_other_weights, describe=_describe_weights),
    ProblemChange(name="samples", change=_more_samples, describe=_describe_samples),
    ProblemChange(name="widths", change=_other_widths, describe=_describe_widths),
    ProblemChange(name="outputs", change=_other_outputs, describe=_describe_outputs),
    ProblemChange(name="kink", change=_to_kink, describe=_describe_kink),
    ProblemChange(name="decimals", change=_more_decimals, describe=_describe_decimals),
    ProblemChange(name="everything", change=_everything, describe=_describe_everything),
)
