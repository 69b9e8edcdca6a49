"""A student's pass through two layers and back, in plain NumPy: it shares no code with core.

It is written out step by step; `redo` goes through it with a step's result put in by hand, which is how a
mistake is made.
"""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

from core.arrays import Array
from core.conventions import L2, Conventions
from core.problem import Layer, Network, Problem

CONVENTIONS = {
    "plain": Conventions(),
    "sum": Conventions(reduction="sum"),
    "base 2": Conventions(log_base=2),
    "L2": Conventions(l2=L2(strength=0.3)),
    "L2 factor 1": Conventions(l2=L2(strength=0.3, factor=1.0, biases=True)),
    "L2 per sample": Conventions(l2=L2(strength=1.2, per_sample=True)),
    "rows first": Conventions(column_order="rows_first"),
    "relu": Conventions(),
    "square": Conventions(),
    "huge": Conventions(),
    "sigmoid": Conventions(),
}
LABELS = [2, 0, 2, 1]
ACTIVATIONS = {"relu": "relu"}


def numbers(case: str) -> dict[str, Any]:
    """Write down what is given: D = 2 (3 where the layers are square), H = 5 (3), K = 3, N = 4."""
    rng = np.random.default_rng(11)
    d, h, k = (3, 3, 3) if case == "square" else (2, 5, 3)
    shapes = {"X": (4, d), "W1": (d, h), "b1": (h,), "W2": (h, k), "b2": (k,)}
    given: dict[str, Any] = {name: np.round(rng.uniform(-1.5, 1.5, shape), 2) for name, shape in shapes.items()}
    given |= {"Y": np.eye(k)[LABELS], "N": 4, "K": k, "divisor": 4.0, "unit": 1.0, "decay": 0.0, "bias_decay": 0.0}
    # a pre-activation of exactly 0: the first sample's, in the first unit
    from_zero = {"X": given["X"] * [[0], [1], [1], [1]], "b1": given["b1"] * [0, *[1] * (h - 1)]}
    changed: dict[str, dict[str, Any]] = {
        "sum": {"divisor": 1.0},
        "base 2": {"unit": np.log(2.0)},
        "L2": {"decay": 0.3},
        # 1.2 over N
        "L2 per sample": {"decay": 0.3},
        "L2 factor 1": {"decay": 0.6, "bias_decay": 0.6},
        "relu": from_zero,
        "huge": {"W2": 1000.0 * given["W2"]},
    }
    return given | changed.get(case, {})


def softmax(z: Array, axis: int | None = 1) -> Array:
    return np.asarray(np.exp(z) / np.exp(z).sum(axis=axis, keepdims=True))


def sigmoid(z: Array) -> Array:
    return np.asarray(1.0 / (1.0 + np.exp(-z)))


def cross_entropy(s: Array, y: Array) -> Array:
    return np.asarray(-(y * np.log(s)).sum(axis=1))


def both_terms(s: Array, y: Array) -> Array:
    return np.asarray(-(y * np.log(s) + (1 - y) * np.log(1 - s)).sum(axis=1))


def redo(case: str, **put: Any) -> Any:
    """Go through two layers, taking what is put in as it is."""
    v: Any = SimpleNamespace(case=case, **(numbers(case) | put))
    relu, yes_or_no = case == "relu", case == "sigmoid"
    steps: dict[str, Callable[[], Any]] = {
        "Z1": lambda: v.X @ v.W1 + v.b1,
        "A1": lambda: np.maximum(v.Z1, 0) if relu else np.tanh(v.Z1),
        "Z2": lambda: v.A1 @ v.W2 + v.b2,
        "S": lambda: sigmoid(v.Z2) if yes_or_no else softmax(v.Z2),
        "losses": lambda: (both_terms if yes_or_no else cross_entropy)(v.S, v.Y) / v.unit,
        "L2": lambda: v.decay / 2 * ((v.W1**2).sum() + (v.W2**2).sum()),
        "L2b": lambda: v.bias_decay / 2 * ((v.b1**2).sum() + (v.b2**2).sum()),
        "L": lambda: v.losses.sum() / v.divisor + v.L2 + v.L2b,
        "dS": lambda: -v.Y / v.S / v.divisor / v.unit,
        "G": lambda: (v.S - v.Y) / v.divisor / v.unit,
        "dW2": lambda: v.A1.T @ v.G + v.decay * v.W2,
        "db2": lambda: v.G.sum(axis=0) + v.bias_decay * v.b2,
        "dA1": lambda: v.G @ v.W2.T,
        "dZ1": lambda: v.dA1 * (v.Z1 > 0) if relu else v.dA1 * (1 - np.tanh(v.Z1) ** 2),
        "dW1": lambda: v.X.T @ v.dZ1 + v.decay * v.W1,
        "db1": lambda: v.dZ1.sum(axis=0) + v.bias_decay * v.b1,
        "dX": lambda: v.dZ1 @ v.W1.T,
    }
    for name, step in steps.items():
        setattr(v, name, put[name] if name in put else step())
    return v


def problem_of(case: str) -> Problem:
    """Build the problem that the pass by hand is about."""
    given = numbers(case)
    hidden, last = ACTIVATIONS.get(case, "tanh"), "sigmoid" if case == "sigmoid" else "softmax"
    first = Layer(weights=given["W1"], bias=given["b1"], activation=hidden)
    return Problem(
        network=Network(layers=(first, Layer(weights=given["W2"], bias=given["b2"], activation=last))),
        inputs=given["X"],
        targets=given["Y"] if case == "sigmoid" else np.array(LABELS),
        loss="binary_cross_entropy" if case == "sigmoid" else "cross_entropy",
        conventions=CONVENTIONS[case],
    )


def diagonals(rows: Array) -> Array:
    return np.array([np.diag(row) for row in rows])


def outers(rows: Array) -> Array:
    return np.array([np.outer(row, row) for row in rows])


def times(rows: Array, matrices: Array) -> Array:
    return np.array([row @ matrix for row, matrix in zip(rows, matrices, strict=True)])


def jacobian_of_softmax(s: Array) -> Array:
    return diagonals(s) - outers(s)


def onehot(s: Array) -> Array:
    return np.asarray(np.eye(s.shape[1])[s.argmax(axis=1)])
