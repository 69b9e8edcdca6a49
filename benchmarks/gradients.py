"""Gradients of one softmax layer and of whole networks, by the calls that users make, beside torch, JAX and autograd.

A layer is `evaluate(problem, ["dL_dW1"])`; a network is `compute_gradients`, by every weight, every bias and the
inputs. Everybody starts from arrays of its own kind, holds class indices, and has its function built and compiled. Ours
holds a `Problem`, which was checked when it was made.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import autograd
import autograd.numpy as anp
import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
import torch

from benchmarks.harness import Call, Goal, Row, at_most, measure, require_equal, set_beside
from benchmarks.problems import draw_problem
from core.arrays import Array
from core.budget import Budget
from core.problem import Problem
from core.propagation import compute_gradients, gradient_names
from core.steps import evaluate

Gradient = Callable[[], Sequence[npt.ArrayLike]]
Peers = dict[str, Gradient]

CALLS = (
    "Calls take most of this, not arithmetic: NumPy takes 0.2 µs for an operation on equal shapes, 0.7 for a matrix "
    "product, a sum over an axis, or a column that divides rows. At 4×10→3 the kernel makes fifteen such calls, 7 of "
    "10 µs; the plan around it takes 2.5. `dot` would take a third of `@` there, but it releases the GIL each time, "
    "and a thread that does so every few microseconds starves the event loop. In the small network relu and its slope "
    "take 4 µs, the result's dataclasses 3."
)
PRODUCTS = (
    "NumPy's products alone take about half of torch's time. In the network they are nine: 0.49 of it at N = 64, 0.55 "
    "at N = 1024 with OpenBLAS's own choice. What remains is a pass over each array for the bias, relu, its slope and "
    "the check for finite numbers, which is left out where a later one implies it. Tried without gain: biases added in "
    "place, slopes as floats, other blocks than 512 KiB, another malloc threshold. OPENBLAS_CORETYPE=Haswell doubles "
    "the time of NumPy's products on this processor; torch and JAX do not use OpenBLAS."
)
OUTER = (
    "With one sample dL_dW1 is an outer product. NumPy's `@` takes 200 µs for it at 784×256, in a loop of its own. A "
    "product of rows padded with zeros goes to BLAS and takes 30 (47 with OPENBLAS_CORETYPE=Haswell). What remains is "
    "to read and write each weight matrix once."
)
"""Why rows miss their goals."""

LAYERS = {
    (1, 3, 5): (at_most(torch=0.4, JAX=2.0), CALLS),
    (4, 10, 3): (at_most(torch=0.4, JAX=2.0), CALLS),
    (64, 100, 10): (at_most(torch=0.4, JAX=1.2), CALLS),
    (64, 784, 10): (at_most(torch=0.55, JAX=1.0), PRODUCTS),
    (128, 256, 1000): (at_most(torch=0.55, JAX=1.0), PRODUCTS),
    (256, 512, 50257): (at_most(torch=0.55, JAX=1.0), PRODUCTS),
}
"""Samples, inputs and classes; the goals, and why a row misses them."""

NETWORKS = {
    (4, (3, 5, 4)): (at_most(torch=0.6), CALLS),
    (1, (784, 256, 128, 10)): (at_most(torch=1.0), OUTER),
    (64, (784, 256, 128, 10)): (at_most(torch=0.6, JAX=1.2), PRODUCTS),
    (1024, (784, 256, 128, 10)): (at_most(torch=0.6, JAX=1.2), PRODUCTS),
}
"""Samples and widths; the goals, and why a row misses them."""

PEAK_SIZE = (4096, 1024, 1000)
PEAK_WIDTH = 2048
PEAK_GOAL = Goal(0.84, at_least=True)

RELATIVE = {"float64": 1e-10, "float32": 2e-4}
BOUNDLESS = Budget(numbers=10**12, operations=10**15)


def sources(problem: Problem) -> dict[str, Array]:
    """Return what the loss can be differentiated by, by name."""
    found = {"X": problem.inputs}
    for number, layer in enumerate(problem.network.layers, start=1):
        found[f"W{number}"] = layer.weights
        if layer.bias is not None:
            found[f"b{number}"] = np.asarray(layer.bias)
    return found


def run_forward(arrays: Mapping[str, Any], linear: Callable[[Any, Any, Any], Any], relu: Callable[[Any], Any]) -> Any:
    """Return the logits, by anybody's operations."""
    depth = sum(name.startswith("W") for name in arrays)
    A = arrays["X"]
    for number in range(1, depth):
        A = relu(linear(A, arrays[f"W{number}"], arrays.get(f"b{number}")))
    return linear(A, arrays[f"W{depth}"], arrays.get(f"b{depth}"))


def by_torch(problem: Problem, names: Sequence[str]) -> Gradient:
    """Return torch's gradients: eager, a forward pass and backward()."""
    torch.set_num_threads(1)
    tensors = {name: torch.from_numpy(array) for name, array in sources(problem).items()}
    wanted = [tensors[name].requires_grad_() for name in names]
    y = torch.from_numpy(np.asarray(problem.targets))

    def linear(inputs: Any, weights: Any, bias: Any) -> Any:
        return inputs @ weights if bias is None else torch.addmm(bias, inputs, weights)

    def run() -> Sequence[npt.ArrayLike]:
        for tensor in wanted:
            tensor.grad = None
        torch.nn.functional.cross_entropy(run_forward(tensors, linear, torch.relu), y).backward()
        return [tensor.grad for tensor in wanted]

    return run


def make_loss(
    problem: Problem,
    relu: Callable[[Any], Any],
    log_softmax: Callable[[Any], Any],
    take: Callable[[Any, Any], Any],
) -> Callable[..., Any]:
    """Make the mean loss as a function of arrays and labels, of JAX's or autograd's."""
    names = list(sources(problem))

    def linear(inputs: Any, weights: Any, bias: Any) -> Any:
        return inputs @ weights if bias is None else inputs @ weights + bias

    def loss(*arrays: Any) -> Any:
        *arrays_of_problem, y = arrays
        logits = run_forward(dict(zip(names, arrays_of_problem, strict=True)), linear, relu)
        return -take(log_softmax(logits), y).mean()

    return loss


def places_of(problem: Problem, names: Sequence[str]) -> tuple[int, ...]:
    """Return where a loss takes these arrays."""
    found = list(sources(problem))
    return tuple(found.index(name) for name in names)


def by_jax(problem: Problem, names: Sequence[str]) -> Gradient:
    """Return JAX's gradients, compiled."""
    # an asynchronous call hops to another thread, which makes small calls up to five times slower
    jax.config.update("jax_cpu_enable_async_dispatch", False)  # noqa: FBT003 - its only signature
    arrays = [*(jnp.asarray(array) for array in sources(problem).values()), jnp.asarray(problem.targets)]

    def take(rows: Any, y: Any) -> Any:
        return jnp.take_along_axis(rows, y[:, None], axis=1)

    loss, places = make_loss(problem, jax.nn.relu, jax.nn.log_softmax, take), places_of(problem, names)
    if len(places) == 1:
        # one array costs less than a tuple of one
        alone = jax.jit(jax.grad(loss, places[0]))
        return lambda: [alone(*arrays).block_until_ready()]
    gradient = jax.jit(jax.grad(loss, places))
    return lambda: jax.block_until_ready(gradient(*arrays))


def by_autograd(problem: Problem, names: Sequence[str]) -> Gradient:
    """Return HIPS autograd's gradients."""
    arrays = [*sources(problem).values(), np.asarray(problem.targets)]

    def log_softmax(logits: Any) -> Any:
        shifted = logits - anp.max(logits, axis=1, keepdims=True)
        return shifted - anp.log(anp.sum(anp.exp(shifted), axis=1, keepdims=True))

    def take(rows: Any, y: Any) -> Any:
        return rows[np.arange(len(y)), y]

    loss = make_loss(problem, lambda z: anp.maximum(z, 0.0), log_softmax, take)
    gradient = autograd.grad(loss, places_of(problem, names))
    return lambda: gradient(*arrays)


def by_product(dtype: str) -> Call:
    """Return a product of square matrices, into one that stands ready."""
    factor = np.random.default_rng(0).standard_normal((PEAK_WIDTH, PEAK_WIDTH)).astype(dtype)
    product = np.empty_like(factor)
    return lambda: np.matmul(factor, factor, out=product)


def draw_layer(size: tuple[int, int, int], dtype: str) -> tuple[Problem, Call]:
    """Draw a layer, and return it with the call that gives its weight gradient."""
    problem = draw_problem(size[0], size[1:], dtype=dtype)
    return problem, partial(evaluate, problem, ("dL_dW1",), budget=BOUNDLESS)


def name_layer(size: tuple[int, int, int], dtype: str) -> str:
    """Name a row."""
    return f"dL_dW of a softmax layer, {size[0]}×{size[1]}→{size[2]}, {dtype}"


def rows_of_layer(size: tuple[int, int, int], dtype: str) -> Iterator[Row]:
    """Measure the weight gradient of one softmax layer."""
    problem, ours = draw_layer(size, dtype)
    peers: Peers = {"torch": by_torch(problem, ["W1"]), "JAX": by_jax(problem, ["W1"])}
    if dtype == "float64":
        peers["autograd"] = by_autograd(problem, ["W1"])
    results: dict[str, Iterable[npt.ArrayLike]] = {name: call() for name, call in peers.items()}
    results["ours"] = evaluate(problem, ("dL_dW1",), budget=BOUNDLESS).values()
    require_equal(results, relative=RELATIVE[dtype])
    timings = measure({"ours": ours, **peers})
    goals, why = LAYERS[size]
    for peer in peers:
        yield timings.row(name_layer(size, dtype), peer, goals.get(peer), why=why)


def row_of_peak(dtype: str) -> Row:
    """Measure which share of the speed of a matrix product a layer reaches, its own two products counted."""
    samples = measure({"ours": draw_layer(PEAK_SIZE, dtype)[1], "product": by_product(dtype)}).samples
    peak = [2 * math.prod(PEAK_SIZE) / PEAK_WIDTH**3 * seconds for seconds in samples["product"]]
    what, peer = name_layer(PEAK_SIZE, dtype), "GEMM peak (share of it)"
    return set_beside(what, peer, samples["ours"], peak, PEAK_GOAL, why=PRODUCTS, inverse=True)


def rows_of_network(n_samples: int, widths: tuple[int, ...]) -> Iterator[Row]:
    """Measure all gradients of a network."""
    problem = draw_problem(n_samples, widths, has_bias=True)
    names = [name.removeprefix("dL_d") for name in gradient_names(problem)]
    peers: Peers = {
        "torch": by_torch(problem, names),
        "JAX": by_jax(problem, names),
        "autograd": by_autograd(problem, names),
    }
    found = compute_gradients(problem, budget=BOUNDLESS)
    ours = [array for layer in found.layers for array in (layer.grad_weights, np.asarray(layer.grad_bias))]
    require_equal({"ours": [*ours, found.grad_inputs]} | {name: call() for name, call in peers.items()}, relative=1e-10)
    timings = measure({"ours": partial(compute_gradients, problem, budget=BOUNDLESS), **peers})
    what = f"all gradients, {'-'.join(map(str, widths))}, N = {n_samples}"
    goals, why = NETWORKS[n_samples, widths]
    for peer in peers:
        yield timings.row(what, peer, goals.get(peer), why=why)


def rows() -> Iterator[Row]:
    """Measure every layer in both precisions, the share of the peak, and every network."""
    for size in LAYERS:
        for dtype in RELATIVE:
            yield from rows_of_layer(size, dtype)
    for dtype in RELATIVE:
        yield row_of_peak(dtype)
    for n_samples, widths in NETWORKS:
        yield from rows_of_network(n_samples, widths)
