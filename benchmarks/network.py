"""All gradients of a small network, by every weight, every bias and the inputs, beside torch and JAX.

Everyone starts from arrays of its own kind, holds class indices, has its function built and compiled, and gives the
mean loss's gradients, in float64.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
import torch

from benchmarks.environment import describe_threads
from benchmarks.harness import Goal, Row, hand_over, measure, require_equal
from core.arrays import Array
from core.budget import Budget
from core.problem import Layer, Network, Problem
from core.propagation import compute_gradients

Gradient = Callable[[], Sequence[npt.ArrayLike]]

WIDTHS = (784, 256, 128, 10)
BATCHES = (64, 1024)
BOUNDLESS = Budget(numbers=10**12, operations=10**15)

GOALS = {"torch": Goal(0.6), "JAX jit": Goal(1.2)}

WHY = (
    "NumPy's nine products alone take about half of torch's time (0.49 of it at 64, 0.55 at 1024, BLAS auto); "
    "what comes on top is a pass over each array for the bias, relu, its slope and the check that it is finite, "
    "and at 64 the calls. Biases added in place, slopes as floats, unchecked activations and another malloc "
    "threshold bought nothing that could be measured. OPENBLAS_CORETYPE=Haswell doubles the time of NumPy's "
    "products here and leaves torch and JAX as they are."
)
"""What was tried for rows that miss their goal, and why it stops there."""


def draw(n_samples: int) -> Problem:
    """Draw a problem."""
    source = np.random.default_rng(0)
    layers = tuple(
        Layer(
            weights=source.standard_normal((n_in, n_out)) / np.sqrt(n_in),
            bias=source.standard_normal(n_out),
            activation="softmax" if n_out == WIDTHS[-1] else "relu",
        )
        for n_in, n_out in pairwise(WIDTHS)
    )
    inputs = source.standard_normal((n_samples, WIDTHS[0]))
    labels: Any = source.integers(0, WIDTHS[-1], n_samples)
    return Problem(network=Network(layers=layers), inputs=inputs, targets=labels, loss="cross_entropy")


def parameters(problem: Problem) -> list[Array]:
    """Return inputs, weights and biases, in the order of the gradients."""
    return [
        problem.inputs,
        *(part for layer in problem.network.layers for part in (layer.weights, np.asarray(layer.bias))),
    ]


def ours(problem: Problem) -> list[Array]:
    """Compute our gradients."""
    gradients = compute_gradients(problem, budget=BOUNDLESS)
    parts = [part for layer in gradients.layers for part in (layer.grad_weights, np.asarray(layer.grad_bias))]
    return [gradients.grad_inputs, *parts]


def by_torch(problem: Problem) -> Gradient:
    """Return torch's: eager, a forward pass and backward()."""
    torch.set_num_threads(1)
    tensors = [torch.from_numpy(array).requires_grad_() for array in parameters(problem)]
    y = torch.from_numpy(np.asarray(problem.targets))

    def run() -> Sequence[npt.ArrayLike]:
        for tensor in tensors:
            tensor.grad = None
        A, *rest = tensors
        for W, b in zip(rest[:-2:2], rest[1:-2:2], strict=True):
            A = torch.relu(torch.addmm(b, A, W))
        torch.nn.functional.cross_entropy(torch.addmm(rest[-1], A, rest[-2]), y).backward()
        return [tensor.grad for tensor in tensors]

    return run


def by_jax(problem: Problem) -> Gradient:
    """Return JAX's, compiled."""
    # without a hop to another thread, which made small calls up to five times slower
    jax.config.update("jax_cpu_enable_async_dispatch", False)  # noqa: FBT003 - its only signature
    arrays = [jnp.asarray(array) for array in parameters(problem)]
    y = jnp.asarray(problem.targets)

    def loss(arrays: Sequence[jax.Array], y: jax.Array) -> jax.Array:
        A, *rest = arrays
        for W, b in zip(rest[:-2:2], rest[1:-2:2], strict=True):
            A = jax.nn.relu(A @ W + b)
        log_probabilities = jax.nn.log_softmax(A @ rest[-2] + rest[-1])
        return -jnp.take_along_axis(log_probabilities, y[:, None], axis=1).mean()

    gradient = jax.jit(jax.grad(loss))
    return lambda: jax.block_until_ready(gradient(arrays, y))


def rows() -> Iterator[Row]:
    """Measure each batch."""
    for n_samples in BATCHES:
        problem = draw(n_samples)
        contestants: dict[str, Gradient] = {
            "ours": partial(ours, problem),
            "torch": by_torch(problem),
            "JAX jit": by_jax(problem),
        }
        require_equal({name: call() for name, call in contestants.items()}, relative=1e-10)
        timings = measure(contestants)
        what = f"MLP {'-'.join(map(str, WIDTHS))}, batch {n_samples}, all gradients"
        for peer, goal in GOALS.items():
            yield timings.row(what, peer, goal, why=WHY)


if __name__ == "__main__":
    hand_over(rows(), describe_threads)
