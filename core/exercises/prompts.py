"""The words of an exercise: everything a student needs, as text."""

import numpy as np

from core.arrays import Array
from core.exercises.kind import Kind
from core.losses import LOSSES
from core.problem import Problem


def write_prompt(kind: Kind, problem: Problem) -> str:
    """Write what a student reads: the problem, its conventions, and what to do.

    Parameters
    ----------
    kind : Kind
    problem : Problem

    Returns
    -------
    str
        Plain text of several lines.
    """
    lines = [_describe_network(problem), ""]
    for number, layer in enumerate(problem.network.layers, start=1):
        suffix = str(number) if problem.network.depth > 1 else ""
        lines += [f"W{suffix} = {_write(layer.weights)}"]
        lines += [f"b{suffix} = {_write(layer.bias)}"] if layer.bias is not None else []
    lines += [f"X = {_write(problem.inputs)}"]
    if any("L" in ask for ask in kind.asks):
        what = "classes (from 0)" if problem.has_labels else "Y"
        lines += [f"{what} = {_write(np.asarray(problem.targets))}", "", _describe_loss(problem)]
    lines += ["", kind.task]
    lines += [f"Give {', '.join(kind.asks)} to {kind.decimals} decimals."]
    return "\n".join(lines)


def _write(array: Array) -> str:
    return str(array.tolist())


def _describe_network(problem: Problem) -> str:
    layers = problem.network.layers
    activations = [layer.activation for layer in layers]
    samples = "is one sample" if problem.n_samples == 1 else f"are {problem.n_samples} samples, one in each row of X"
    if len(activations) == 1:
        bias = "" if layers[0].bias is None else " + b"
        outputs = "S" if problem.network.gives_distribution else "A"
        return f"A layer computes Z = X·W{bias} and {outputs} = {activations[0]}(Z) of each row. There {samples}."
    forms = [
        f"Z{n} = {'X' if n == 1 else f'A{n - 1}'}·W{n}{'' if layers[n - 1].bias is None else f' + b{n}'}, "
        f"{'S' if name == 'softmax' else f'A{n}'} = {name}(Z{n})"
        for n, name in enumerate(activations, start=1)
    ]
    return f"A network computes {'; '.join(forms)}. There {samples}."


def _describe_loss(problem: Problem) -> str:
    conventions, loss = problem.conventions, LOSSES[str(problem.loss)]
    name = loss.name.replace("_", "-")
    text = f"The loss L is the {conventions.reduction} over the samples of the {name} {loss.formula}"
    if loss.logarithmic:
        log = "natural logarithm" if conventions.log_base == "e" else f"logarithm to base {conventions.log_base}"
        text += f", with the {log} for ln"
    if conventions.l2.strength > 0:
        which = "weights and biases" if conventions.l2.biases else "weights (not of biases)"
        factor = {0.5: "½", 1.0: "1"}[conventions.l2.factor]
        text += (
            f", plus an L2 term: factor {factor} times {conventions.l2.strength:g} times the sum of squares of all "
            f"{which}"
        )
    return text + "."
