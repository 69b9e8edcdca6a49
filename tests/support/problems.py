"""Random problems that cover everything a problem can be, from a seed or from hypothesis.

Both come from one function, `draw_problem`, which asks a source for each choice: a source of seeded
numbers for many problems at once, or hypothesis, which shrinks what fails.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Protocol, TypeVar

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from core.activations import ACTIVATIONS
from core.arrays import Array
from core.conventions import COLUMN_ORDERS, L2, L2_FACTORS, LOG_BASES, REDUCTIONS, RELU_SLOPES, Conventions
from core.losses import LOSSES
from core.problem import Layer, Network, Problem
from core.steps import evaluate

MAX_DEPTH = 6
MAX_WIDTH = 4
MAX_SAMPLES = 8
KINK_DISTANCE = 1e-3
# a derivative that jumps at 0, whatever the entry's text says
KINKED = frozenset(
    name
    for name, entry in ACTIVATIONS.items()
    if abs(np.diff([entry.vjp(z, entry.value(z), np.ones(1))[0] for z in np.array([[1e-9], [-1e-9]])])) > KINK_DISTANCE
)

T = TypeVar("T")


class Source(Protocol):
    """What a random problem's choices and numbers are drawn from."""

    def choice(self, options: Sequence[T]) -> T:
        """Choose one."""

    def numbers(self, *shape: int) -> Array:
        """Draw an array of numbers from -2 to 2."""


@dataclass(frozen=True)
class Seeded:
    """A source of seeded numbers."""

    rng: np.random.Generator

    def choice(self, options: Sequence[T]) -> T:
        return options[int(self.rng.integers(len(options)))]

    def numbers(self, *shape: int) -> Array:
        return self.rng.uniform(-2.0, 2.0, shape)


@dataclass(frozen=True)
class Drawn:
    """A source that hypothesis drives."""

    draw: st.DrawFn

    def choice(self, options: Sequence[T]) -> T:
        return self.draw(st.sampled_from(options))

    def numbers(self, *shape: int) -> Array:
        return self.draw(arrays(np.float64, shape, elements=st.floats(-2.0, 2.0, allow_subnormal=False)))


def random_problem(seed: int) -> Problem:
    """Draw a problem without a kink near by, so that differences of its loss are smooth."""
    source = Seeded(np.random.default_rng(seed))
    while not is_smooth(problem := draw_problem(source)):
        pass
    return problem


@st.composite
def problems(draw: st.DrawFn) -> Problem:
    """Draw any consistent problem."""
    return draw_problem(Drawn(draw))


def draw_problem(source: Source) -> Problem:
    """Draw a problem: any depth, activations, loss that fits, targets, conventions and batch."""
    widths = [source.choice(range(1, MAX_WIDTH + 1)) for _ in range(source.choice(range(2, MAX_DEPTH + 2)))]
    layers = tuple(_draw_layer(source, n_in, n_out) for n_in, n_out in pairwise(widths))
    network = Network(layers=layers)
    n_samples = source.choice(range(1, MAX_SAMPLES + 1))
    fitting = [name for name, loss in LOSSES.items() if loss.output_activation in {None, network.output_activation}]
    loss = source.choice(fitting)
    return Problem(
        network=network,
        inputs=source.numbers(n_samples, widths[0]),
        targets=_draw_targets(source, network, n_samples),
        loss=loss,
        conventions=_draw_conventions(source, loss),
    )


def is_smooth(problem: Problem) -> bool:
    """Whether no pre-activation lies so near its activation's kink that a small step would cross it."""
    for number, layer in enumerate(problem.network.layers, start=1):
        z = evaluate(problem, [f"Z{number}"])[f"Z{number}"]
        if layer.activation in KINKED and np.abs(z).min() < KINK_DISTANCE:
            return False
    return True


def _draw_layer(source: Source, n_in: int, n_out: int) -> Layer:
    bias = source.numbers(n_out) if source.choice((True, False)) else None
    return Layer(weights=source.numbers(n_in, n_out), bias=bias, activation=source.choice(tuple(ACTIVATIONS)))


def _draw_targets(source: Source, network: Network, n_samples: int) -> Array:
    n_out = network.widths[-1]
    numbers = np.abs(source.numbers(n_samples, n_out)) / 2.0
    if network.output_activation != "softmax":
        # some exactly 0 or 1
        return np.round(numbers) if source.choice((True, False)) else numbers
    if source.choice((True, False)):
        return np.array([source.choice(range(n_out)) for _ in range(n_samples)])
    positive = numbers + 0.01
    return np.asarray(positive / positive.sum(axis=1, keepdims=True))


def _draw_conventions(source: Source, loss: str) -> Conventions:
    strength = source.choice((0.0, 0.0, 0.01, 0.3))
    either = (True, False)
    l2 = L2(
        strength=strength,
        factor=source.choice(L2_FACTORS),
        biases=source.choice(either),
        per_sample=source.choice(either),
    )
    reductions = [name for name in REDUCTIONS if name != "mean_over_entries" or LOSSES[loss].mean_over_entries]
    return Conventions(
        reduction=source.choice(reductions),
        l2=l2,
        log_base=source.choice(tuple(LOG_BASES) if LOSSES[loss].logarithmic else ("e",)),
        column_order=source.choice(tuple(COLUMN_ORDERS)),
        relu_at_zero=source.choice(RELU_SLOPES),
    )


def two_layers(*, activation: str = "softmax", loss: str | None = "cross_entropy", l2: float = 0.0) -> Problem:
    """Build one small problem whose numbers are all different, with a bias in the first layer alone."""
    first = Layer(
        weights=np.array([[0.5, -1.0, 0.2], [0.1, 0.3, -0.7]]), bias=np.array([0.1, 0.05, -0.2]), activation="tanh"
    )
    second = Layer(weights=np.array([[1.0, 0.2], [-0.4, 0.6], [0.3, -0.9]]), activation=activation)
    return Problem(
        network=Network(layers=(first, second)),
        inputs=np.array([[1.0, 2.0], [-0.5, 0.25], [0.3, -0.8]]),
        targets=None if loss is None else np.array([[1.0, 0.0], [0.25, 0.75], [0.0, 1.0]]),
        loss=loss,
        conventions=Conventions(l2=L2(strength=l2)),
    )


def numbered_quantities(problem: Problem) -> tuple[list[str], list[tuple[str, str]]]:
    """List a problem's nodes that are computed, and all pairs (of, by), by numbered names.

    A derivative is taken by what stands before it in the forward pass, written out here in its order.
    """
    order = ["X"]
    for number, layer in enumerate(problem.network.layers, start=1):
        symbols = ("W", "Z", "A") if layer.bias is None else ("W", "b", "Z", "A")
        order += [f"{symbol}{number}" for symbol in symbols]
    order += ["L"] if problem.loss else []
    computed = [node for node in order if node[0] in "ZAL"]
    return computed, [(of, by) for of in computed for by in order[: order.index(of)]]


def single(array: Array) -> Array:
    """Round an array to float32; class indices stay what they are."""
    return np.asarray(array.astype(np.float32)) if array.dtype.kind == "f" else array


def in_float32(problem: Problem) -> Problem:
    """Round a problem's numbers to float32."""
    layers = tuple(
        replace(layer, weights=single(layer.weights), bias=None if layer.bias is None else single(layer.bias))
        for layer in problem.network.layers
    )
    targets = None if problem.targets is None else single(problem.targets)
    return replace(problem, network=Network(layers=layers), inputs=single(problem.inputs), targets=targets)
