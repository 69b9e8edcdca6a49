"""The Jacobians of a softmax layer at one sample, beside torch.func.jacrev and beside filling an array of that size.

Ours is `compute_jacobians`, which labels every row and column, and `compute_softmax_layer`, with its checks, labels and
chain. The product alone is the Jacobian without labels. The fill makes a new array, as ours must, and writes one number
everywhere: the least that a result of that size can cost.
"""

from collections.abc import Iterator
from functools import partial

import numpy as np
import torch

from app.examples import ARTICLE_INPUTS, ARTICLE_TARGET, ARTICLE_WEIGHTS
from benchmarks.harness import Call, Goal, Row, measure, require_equal
from benchmarks.problems import draw_problem
from core.arrays import Array
from core.budget import Budget
from core.jacobians import compute_jacobians, multiply_path
from core.kernels.softmax_jacobians import jacobian_softmax
from core.problem import Problem
from core.softmax_layer import DEFAULT_QUANTITIES, SoftmaxLayer, compute_softmax_layer
from core.steps import evaluate

CLASSES = (10, 100, 1000)
SIZES = ((3, 5), (30, 10), (256, 64))
"""D, K."""

BOUNDLESS = Budget(numbers=10**12, operations=10**15)

BY_LOGITS_GOAL, BY_WEIGHTS_GOAL = Goal(0.3), Goal(0.45)
FILL_GOALS = {1000: Goal(1.2)}
JACREV = "torch jacrev"

WHY = (
    "`compute_jacobians` names every row and column. Up to 256 names of a kind are kept for the next call, and up to "
    "32768 of four kinds; to make 16384 anew takes 0.7 ms. Beside the product, which has its own row, a call takes "
    "about 15 µs to read the id, check sizes and name factors: half of it at K = 10 and K = 100."
)


def ways(problem: Problem, name: str, by: str) -> dict[str, Call]:
    """Return what users call, and beside it the product alone."""
    return {
        "ours": partial(compute_jacobians, problem, (name,), budget=BOUNDLESS),
        "product": partial(multiply_path, problem, "A1", by, BOUNDLESS),
    }


def value_of(problem: Problem, name: str) -> Array:
    """Return a sample's matrix of our Jacobian."""
    value: Array = compute_jacobians(problem, (name,), budget=BOUNDLESS).jacobians[name].value[0]
    return value


def rows_beside_jacrev(what: str, goal: Goal, contestants: dict[str, Call]) -> Iterator[Row]:
    """Measure what users call, and the product alone."""
    timings = measure(contestants)
    yield timings.row(what, JACREV, goal, why=WHY)
    yield timings.row(f"the product alone, {what}", JACREV, goal, ours="product", why=WHY)


def by_logits_in_torch(problem: Problem) -> Call:
    """Return torch's dS/dZ."""
    logits = torch.from_numpy((problem.inputs @ problem.network.layers[0].weights)[0])
    jacobian = torch.func.jacrev(lambda z: torch.softmax(z, dim=0))
    return lambda: jacobian(logits)


def by_weights_in_torch(problem: Problem) -> Call:
    """Return torch's dS/dW, of shape (K, D, K)."""
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


def compute_in_numpy(weights: Array, x: Array, target: int) -> dict[str, Array]:
    """Compute the ten quantities of a softmax layer in straight lines, without a check and without labels."""
    z = x @ weights
    e = np.exp(z - z.max())
    s = e / e.sum()
    y = np.zeros(len(s))
    y[target] = 1.0
    dS_dZ, dZ_dW = np.diag(s) - np.outer(s, s), np.kron(np.eye(len(s)), x)
    dL_dZ = s - y
    return {
        "Z": z,
        "S": s,
        "dL_dS": -y / s,
        "dS_dZ": dS_dZ,
        "dZ_dW": dZ_dW,
        "dS_dW": dS_dZ @ dZ_dW,
        "dL_dZ": dL_dZ,
        "dL_dW": np.outer(x, dL_dZ),
        "dL_db": dL_dZ,
        "dL_dX": weights @ dL_dZ,
    }


def row_of_article() -> Row:
    """Measure the article's example."""
    weights, x = np.array(ARTICLE_WEIGHTS), np.array(ARTICLE_INPUTS)

    def run() -> list[Array]:
        layer = SoftmaxLayer(weights=weights, inputs=x[None], target=np.array([ARTICLE_TARGET]))
        quantities = compute_softmax_layer(layer).quantities
        return [quantities[name].value for name in DEFAULT_QUANTITIES]

    straight = partial(compute_in_numpy, weights, x, ARTICLE_TARGET)
    require_equal({"ours": run(), "NumPy": [straight()[name] for name in DEFAULT_QUANTITIES]}, relative=1e-12)
    peer = "straight lines of NumPy"
    return measure({"ours": run, peer: straight}).row("the article's layer, its ten quantities", peer)


def rows() -> Iterator[Row]:
    """Measure dS/dZ and dS/dW at each size, and the article's example."""
    torch.set_num_threads(1)
    for n_classes in CLASSES:
        problem = draw_problem(1, (1, n_classes))
        contestants = ways(problem, "dS_dZ", "Z1") | {JACREV: by_logits_in_torch(problem)}
        matrix = value_of(problem, "dS_dZ")
        require_equal({"ours": [matrix], JACREV: [np.asarray(contestants[JACREV]())]}, relative=1e-12)
        yield from rows_beside_jacrev(f"dS_dZ, K = {n_classes}", BY_LOGITS_GOAL, contestants)
        kernel = partial(jacobian_softmax, evaluate(problem, ["A1"])["A1"])
        require_equal({"ours": [matrix], "kernel": [kernel()[0]]}, relative=1e-15)
        timings = measure({"ours": kernel, "np.fill": fill(n_classes, n_classes)})
        yield timings.row(f"the kernel alone, dS_dZ, K = {n_classes}", "np.fill", FILL_GOALS.get(n_classes))
    for n_in, n_classes in SIZES:
        problem = draw_problem(1, (n_in, n_classes))
        contestants = ways(problem, "dS_dW", "W1") | {JACREV: by_weights_in_torch(problem)}
        results = {"ours": [value_of(problem, "dS_dW")], JACREV: [stack_columns(contestants[JACREV]())]}
        require_equal(results, relative=1e-12)
        yield from rows_beside_jacrev(f"dS_dW, D·K = {n_in}·{n_classes}", BY_WEIGHTS_GOAL, contestants)
    yield row_of_article()
