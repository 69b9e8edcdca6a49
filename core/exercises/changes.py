"""What can be changed about a problem to make it tell more, one thing at a time."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from core.arrays import Array
from core.exercises.twins import draw_twin
from core.problem import Network, Problem
from core.registry import Registry

ENOUGH_SAMPLES = 5
ENOUGH_DIFFERENT = 3
FURTHER_DECIMALS = 2


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Change:
    """One thing to change about a problem.

    Parameters
    ----------
    name : str
    change : callable
        ``change(problem, decimals)`` gives the problem with other numbers in one respect, and the decimals
        of its answers; None where there is nothing to change.
    describe : callable
        ``describe(problem)`` says what is special about it, and what to do.
    """

    name: str
    change: Callable[[Problem, int], tuple[Problem, int] | None]
    describe: Callable[[Problem], str]


def _describe_array(array: Array, what: str) -> str:
    if (array == 0).all():
        return f"{what} are all 0"
    if np.ptp(array) == 0:
        return f"{what} are all {array.flat[0]:g}" if array.flat[0] == 1 else f"{what} are all the same"
    if (array == 0).any():
        return f"some of {what} are 0"
    return f"{what} happen to give the same numbers"


def _other_inputs(problem: Problem, decimals: int) -> tuple[Problem, int]:
    return replace(problem, inputs=draw_twin(problem, 1).inputs), decimals


def _other_parameters(problem: Problem, field: str) -> Problem:
    twin = draw_twin(problem, 1).network.layers
    layers = tuple(
        replace(layer, **{field: getattr(other, field)})
        for layer, other in zip(problem.network.layers, twin, strict=True)
    )
    return replace(problem, network=Network(layers=layers))


def _biases(problem: Problem) -> list[Array]:
    return [layer.bias for layer in problem.network.layers if layer.bias is not None]


def _other_targets(problem: Problem, decimals: int) -> tuple[Problem, int] | None:
    return None if problem.targets is None else (replace(problem, targets=draw_twin(problem, 1).targets), decimals)


def _describe_targets(problem: Problem) -> str:
    if problem.has_labels and len(np.unique(np.asarray(problem.targets))) == 1:
        return "there is one class only among the labels; take at least two, unevenly"
    return "the targets happen to give the same numbers; take labels of at least two classes, unevenly"


def _unlike(taken: set[int], least: int) -> int:
    return next(n for n in range(least, least + len(taken) + 1) if n not in taken)


def _keep_constants(problem: Problem, twin: Problem) -> Problem:
    """Keep what is special about a problem's numbers, for a change of its form to show what that alone does."""
    layers = []
    for layer, other in zip(problem.network.layers, twin.network.layers, strict=True):
        if layer.bias is None or np.ptp(layer.bias) > 0:
            layers.append(other)
        else:
            layers.append(replace(other, bias=np.resize(layer.bias, other.n_out)))
    is_constant = np.ptp(problem.inputs) == 0
    inputs = np.full(twin.inputs.shape, problem.inputs[0, 0]) if is_constant else twin.inputs
    return replace(twin, network=Network(layers=tuple(layers)), inputs=inputs)


def _more_samples(problem: Problem, decimals: int) -> tuple[Problem, int]:
    count = _unlike({problem.n_samples, *problem.network.widths}, ENOUGH_SAMPLES)
    return _keep_constants(problem, draw_twin(problem, 1, n_samples=count)), decimals


def _describe_samples(problem: Problem) -> str:
    if problem.n_samples == 1:
        return "N = 1 hides every mistake with the batch; take 3 samples or more"
    if problem.n_samples in problem.network.widths:
        return f"N = {problem.n_samples} is also a width of the network; take another number of samples"
    if problem.n_samples < ENOUGH_DIFFERENT:
        return f"N = {problem.n_samples} lets one factor pass for another; take 3 samples or more"
    return "these samples happen to give the same numbers; take another number of them"


def _other_widths(problem: Problem, decimals: int) -> tuple[Problem, int]:
    taken = {problem.n_samples}
    widths = []
    for width in problem.network.widths:
        # all different, and three classes at least
        widths.append(_unlike(taken, max(width, 3)))
        taken.add(widths[-1])
    return _keep_constants(problem, draw_twin(problem, 1, widths=widths)), decimals


CHANGES: Registry[Change] = Registry(
    "change",
    Change(
        name="inputs",
        change=_other_inputs,
        describe=lambda problem: (
            f"{_describe_array(problem.inputs, 'the inputs')}; take inputs that all differ, none of them 0 or 1"
        ),
    ),
    Change(
        name="biases",
        change=lambda problem, decimals: (_other_parameters(problem, "bias"), decimals) if _biases(problem) else None,
        describe=lambda problem: (
            f"{_describe_array(np.concatenate(_biases(problem)), 'the biases')}; take biases that all differ, "
            "none of them 0"
        ),
    ),
    Change(name="targets", change=_other_targets, describe=_describe_targets),
    Change(
        name="weights",
        change=lambda problem, decimals: (_other_parameters(problem, "weights"), decimals),
        describe=lambda problem: (
            f"{_describe_array(np.concatenate([x.weights.ravel() for x in problem.network.layers]), 'the weights')}; "
            "take weights that all differ, none of them 0"
        ),
    ),
    Change(name="samples", change=_more_samples, describe=_describe_samples),
    Change(
        name="widths",
        change=_other_widths,
        describe=lambda problem: (
            "some dimensions are equal, or there are fewer than three classes; take samples, inputs and outputs "
            "of different numbers, 3 or more"
        ),
    ),
    Change(
        name="decimals",
        change=lambda problem, decimals: (problem, decimals + FURTHER_DECIMALS),
        describe=lambda problem: "rounding hides the difference; ask for more decimals",
    ),
)
