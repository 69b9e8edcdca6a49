"""Problems of the same form with other numbers: what is hidden in them too is equal by definition."""

import random
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from core.arrays import Array
from core.problem import Layer, Network, Problem


def redraw(
    problem: Problem, number: int, *, n_samples: int | None = None, widths: Sequence[int] | None = None
) -> Problem:
    """Draw a problem of the same form whose numbers have nothing in common.

    Parameters
    ----------
    number : int
        Which of them.
    n_samples : int, optional
        By default as many as the problem has.
    widths : sequence of int, optional
        By default those that the network has.
    """
    source = random.Random(f"twin {number}")  # noqa: S311 - numbers to compare with, not secrets
    pairs = pairwise(widths or problem.network.widths)
    layers = tuple(
        Layer(
            weights=_numbers(source, shape),
            bias=None if layer.bias is None else _numbers(source, shape[1:]),
            activation=layer.activation,
        )
        for layer, shape in zip(problem.network.layers, pairs, strict=True)
    )
    count = n_samples or problem.n_samples
    return replace(
        problem,
        network=Network(layers=layers),
        inputs=_numbers(source, (count, layers[0].n_in)),
        targets=_draw_targets(source, problem, count, layers[-1].n_out),
    )


def _numbers(source: random.Random, shape: tuple[int, ...]) -> Array:
    size = int(np.prod(shape))
    # away from 0, where a mistake may hide
    numbers = [(0.2 + 0.8 * source.random()) * (1 if source.random() < 0.5 else -1) for _ in range(size)]
    return np.array(numbers).reshape(shape)


def draw_labels(source: random.Random, n_samples: int, n_classes: int) -> Array:
    """Draw class indices, unevenly and of at least two classes where that is possible.

    Returns
    -------
    ndarray of int, shape (n_samples,)
    """
    most_classes = min(n_samples, n_classes)
    can_be_uneven = most_classes > 1 and (n_samples, n_classes) != (2, 2)
    while True:
        labels = np.array([int(source.random() * n_classes) for _ in range(n_samples)])
        counts = np.bincount(labels, minlength=n_classes)
        is_uneven = counts.min() < counts.max()
        if np.count_nonzero(counts) >= min(most_classes, 2) and (is_uneven or not can_be_uneven):
            return labels


def is_binary(problem: Problem) -> bool:
    """Tell whether the targets are all 0 or 1 by choice, as for yes-or-no questions and one-hot rows."""
    targets = problem.target_distribution()
    if problem.has_labels or not np.isin(targets, (0.0, 1.0)).all():
        return False
    # of another loss, targets that are all 0 or all 1 are numbers that hide something
    return problem.loss == "binary_cross_entropy" or bool(np.ptp(targets) > 0)


def is_one_hot(problem: Problem) -> bool:
    """Tell whether each row of targets has a single 1."""
    return is_binary(problem) and problem.n_out > 1 and bool((problem.target_distribution().sum(axis=1) == 1.0).all())


def _draw_targets(source: random.Random, problem: Problem, n_samples: int, n_out: int) -> Array | None:
    if problem.targets is None:
        return None
    if problem.has_labels:
        return draw_labels(source, n_samples, n_out)
    if is_one_hot(problem):
        return np.asarray(np.eye(n_out)[draw_labels(source, n_samples, n_out)])
    if is_binary(problem):
        # two classes, of which the second is the 1
        return draw_labels(source, n_samples * n_out, 2).reshape(n_samples, n_out).astype(np.float64)
    numbers = np.abs(_numbers(source, (n_samples, n_out)))
    if problem.loss == "cross_entropy":
        return np.asarray(numbers / numbers.sum(axis=1, keepdims=True))
    return numbers
