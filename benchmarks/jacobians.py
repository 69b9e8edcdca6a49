"""The Jacobians of a softmax layer at one sample, beside torch.func.jacrev and beside filling an array of that size.

Everyone starts from arrays of its own kind. Beside jacrev ours is what the service calls, from the inputs on; beside
the fill it is the kernel alone, from the probabilities. The fill makes a new array, as ours has to, and writes one
number everywhere, which is the least that a result of that size can cost.
"""

from collections.abc import Iterator
from functools import partial

import numpy as np
import torch

from benchmarks.environment import describe_threads
from benchmarks.harness import Call, Goal, Row, hand_over, measure, require_equal
from core.arrays import Array
from core.budget import Budget
from core.jacobians import multiply_path
from core.kernels.softmax_jacobians import jacobian_softmax
from core.problem import Layer, Network, Problem
from core.steps import evaluate

CLASSES = (10, 100, 1000)
SIZES = ((3, 5), (30, 10), (256, 64))
"""D, K."""

BOUNDLESS = Budget(numbers=10**12, operations=10**15)

BY_LOGITS_GOAL, BY_WEIGHTS_GOAL = Goal(0.3), Goal(0.45)
FILL_GOALS = {1000: Goal(1.2)}


def draw(n_in: int, n_classes: int) -> Problem:
    """Draw a layer and a sample."""
    source = np.random.default_rng(0)
    weights = source.standard_normal((n_in, n_classes)) / np.sqrt(n_in)
    network = Network(layers=(Layer(weights=weights, activation="softmax"),))
    return Problem(network=network, inputs=source.standard_normal((1, n_in)))


def ours(problem: Problem, by: str) -> Call:
    """Return our Jacobian of the probabilities."""
    return lambda: multiply_path(problem, "A1", by, BOUNDLESS)


def by_logits_in_torch(problem: Problem) -> Call:
    """Return torch's dS/dZ."""
    torch.set_num_threads(1)
    logits = torch.from_numpy((problem.inputs @ problem.network.layers[0].weights)[0])
    jacobian = torch.func.jacrev(lambda z: torch.softmax(z, dim=0))
    return lambda: jacobian(logits)


def by_weights_in_torch(problem: Problem) -> Call:
    """Return torch's dS/dW, of shape (K, D, K)."""
    torch.set_num_threads(1)
    x, W = torch.from_numpy(problem.inputs[0]), torch.from_numpy(problem.network.layers[0].weights)
    jacobian = torch.func.jacrev(lambda w: torch.softmax(x @ w, dim=0))
    return lambda: jacobian(W)


def fill(*shape: int) -> Call:
    """Return what makes an array and writes one number everywhere."""

    def run() -> None:
        np.empty(shape).fill(0.5)

    return run


def stack_columns(jacobian: object) -> Array:
    """Bring torch's dS/dW into our order: W stacked by columns."""
    array: Array = np.asarray(jacobian)
    return array.transpose(0, 2, 1).reshape(len(array), -1)


def rows() -> Iterator[Row]:
    """Measure dS/dZ and dS/dW at each size."""
    for n_classes in CLASSES:
        problem = draw(1, n_classes)
        contestants = {"ours": ours(problem, "Z1"), "torch jacrev": by_logits_in_torch(problem)}
        results = {name: [np.asarray(call()).reshape(n_classes, n_classes)] for name, call in contestants.items()}
        require_equal(results, relative=1e-12)
        what = f"dS_dZ, K = {n_classes}"
        timings = measure(contestants)
        yield timings.row(what, "torch jacrev", BY_LOGITS_GOAL)
        kernel = partial(jacobian_softmax, evaluate(problem, ["A1"])["A1"])
        require_equal({"ours": results["ours"], "kernel": kernel()}, relative=1e-15)
        timings = measure({"ours": kernel, "np.fill": fill(n_classes, n_classes)})
        yield timings.row(what, "np.fill", FILL_GOALS.get(n_classes))
    for n_in, n_classes in SIZES:
        problem = draw(n_in, n_classes)
        contestants = {"ours": ours(problem, "W1"), "torch jacrev": by_weights_in_torch(problem)}
        found = [np.asarray(contestants["ours"]())[0]]
        require_equal({"ours": found, "torch": [stack_columns(contestants["torch jacrev"]())]}, relative=1e-12)
        what = f"dS_dW, D·K = {n_in}·{n_classes}"
        yield measure(contestants).row(what, "torch jacrev", BY_WEIGHTS_GOAL)


if __name__ == "__main__":
    hand_over(rows(), describe_threads)
