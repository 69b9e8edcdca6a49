"""The kinds of exercises, from one softmax layer to a network of two layers.

All dimensions of a kind are different, so that no transpose and no wrong divisor can hide; its numbers
have one decimal, so that they can be typed.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from core.arrays import Array
from core.conventions import L2, Conventions
from core.exercises.redrawn import draw_labels
from core.problem import Layer, Network, Problem
from core.registry import Registry

BATCH_SIZE = 4
"""Samples in a batch: more than the classes, and not one of the factors that mistakes have."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Kind:
    """One kind of exercise.

    Parameters
    ----------
    title : str
        What it is about, in a line.
    task : str
        What there is to do, for the prompt.
    asks : tuple of str
        Quantity ids.
    draw : callable
        ``draw(source)`` draws a problem; whether its numbers are good is seen afterwards.
    decimals : int
        The decimals of the answers.
    """

    name: str
    title: str
    task: str
    asks: tuple[str, ...]
    draw: Callable[[random.Random], Problem]
    decimals: int = 4


def _tenths(source: random.Random, *shape: int) -> Array:
    size = int(np.prod(shape))
    numbers = [(1 + int(source.random() * 10)) * (1 if source.random() < 0.5 else -1) for _ in range(size)]
    return np.array(numbers).reshape(shape) / 10.0


def _problem(
    source: random.Random,
    *widths: int,
    n_samples: int,
    activation: str = "tanh",
    conventions: Conventions | None = None,
) -> Problem:
    layers = []
    for number, (n_in, n_out) in enumerate(pairwise(widths), start=1):
        name = "softmax" if number == len(widths) - 1 else activation
        layers.append(Layer(weights=_tenths(source, n_in, n_out), bias=_tenths(source, n_out), activation=name))
    return Problem(
        network=Network(layers=tuple(layers)),
        inputs=_tenths(source, n_samples, widths[0]),
        targets=draw_labels(source, n_samples, widths[-1]),
        loss="cross_entropy",
        conventions=conventions or Conventions(),
    )


def _draw_conventions(source: random.Random) -> Conventions:
    def choose(*options: float) -> float:
        return options[int(source.random() * len(options))]

    l2 = L2(
        strength=choose(0.2, 0.3, 0.4),
        factor=choose(0.5, 1.0),
        biases=bool(choose(0, 1)),
        per_sample=bool(choose(0, 1)),
    )
    reduction = ("mean", "sum")[int(choose(0, 1))]
    return Conventions(reduction=reduction, l2=l2, log_base=("e", 2)[int(choose(0, 1))])


KINDS: Registry[Kind] = Registry(
    "exercise kind",
    Kind(
        name="softmax_forward",
        title="The forward pass of a softmax layer over a batch",
        task="Compute the pre-activations Z = X·W + b and the probabilities S, one row for each sample.",
        asks=("Z", "S"),
        draw=lambda source: _problem(source, 2, 3, n_samples=BATCH_SIZE),
    ),
    Kind(
        name="cross_entropy_loss",
        title="The cross-entropy of a softmax layer",
        task="Compute the probabilities S and the loss L of the batch.",
        asks=("S", "L"),
        draw=lambda source: _problem(source, 2, 3, n_samples=BATCH_SIZE),
    ),
    Kind(
        name="softmax_jacobian",
        title="The Jacobian of the softmax",
        task="Compute the probabilities S of the sample and the matrix dS/dZ: row i, column j is dS_i/dZ_j.",
        asks=("S", "dS_dZ"),
        draw=lambda source: _problem(source, 3, 4, n_samples=1),
    ),
    Kind(
        name="softmax_chain",
        title="The chain of one softmax layer, factor by factor",
        task="Compute each factor of the chain for the one sample, and the gradient by the weights. dL/dW has the "
        "shape of W.",
        asks=("dL_dS", "dS_dZ", "dZ_dW", "dL_dZ", "dL_dW"),
        draw=lambda source: _problem(source, 3, 4, n_samples=1),
    ),
    Kind(
        name="logits_gradient",
        title="The gradient by the pre-activations",
        task="Compute the probabilities S and the gradient dL/dZ of the batch's loss, one row for each sample.",
        asks=("S", "dL_dZ"),
        draw=lambda source: _problem(source, 2, 3, n_samples=BATCH_SIZE),
    ),
    Kind(
        name="weight_gradients",
        title="The gradients of a softmax layer's weights and biases",
        task="Compute dL/dZ, dL/dW and dL/db for the batch, each in the shape of what it is taken by.",
        asks=("dL_dZ", "dL_dW", "dL_db"),
        draw=lambda source: _problem(source, 2, 3, n_samples=BATCH_SIZE),
    ),
    Kind(
        name="two_layer_network",
        title="Back-propagation through two layers",
        task="Compute the gradients of both layers' weights and biases for the batch, with dL/dZ of each layer on "
        "the way.",
        asks=("dL_dZ2", "dL_dW2", "dL_db2", "dL_dZ1", "dL_dW1", "dL_db1"),
        draw=lambda source: _problem(source, 2, 4, 3, n_samples=5),
    ),
    Kind(
        name="conventions",
        title="A loss with L2, in the conventions stated",
        task="Compute the loss L and the gradients dL/dW and dL/db. Mind the conventions: they are part of the task.",
        asks=("L", "dL_dW", "dL_db"),
        draw=lambda source: _problem(source, 2, 3, n_samples=BATCH_SIZE, conventions=_draw_conventions(source)),
    ),
)
