"""Students: problems set to them, what honest ones work out by hand, and what they hand in."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from core.answers import read_answer
from core.arrays import Array
from core.conventions import Conventions
from core.grading import Grade, Part, Policy, Question, Solution, Submission, Tolerance, grade_submission, read_asks
from core.problem import Layer, Network, Problem

DECIMALS = 4
"""Those of work by hand."""

Rounding = Callable[[Array], Array]

SOFTMAX_LAYER = Problem(
    network=Network(
        layers=(
            Layer(
                weights=np.array([[0.4, -0.9, 0.3], [-0.7, 0.2, 0.8]]),
                bias=np.array([0.5, -0.3, 0.2]),
                activation="softmax",
            ),
        )
    ),
    inputs=np.array([[0.9, -0.4], [-0.6, 1.0], [0.3, 0.7], [-0.8, -0.5]]),
    targets=np.array([2, 0, 2, 1]),
    loss="cross_entropy",
)
"""N = 4, D = 2, K = 3: all different."""

TWO_LAYERS = Problem(
    network=Network(
        layers=(
            Layer(
                weights=np.array([[0.6, -0.8, 0.4, 0.9], [-0.5, 0.3, 1.0, -0.2]]),
                bias=np.array([0.7, -0.4, 0.3, 0.1]),
                activation="tanh",
            ),
            Layer(
                weights=np.array([[0.8, -0.6, 0.3], [-0.9, 0.5, 0.7], [0.4, 1.0, -0.8], [0.2, -0.3, 0.9]]),
                bias=np.array([-0.5, 0.6, 0.2]),
                activation="softmax",
            ),
        )
    ),
    inputs=np.array([[0.8, -0.7], [-0.4, 0.9], [0.5, 0.6], [-1.0, -0.3], [0.2, -0.9]]),
    targets=np.array([1, 2, 2, 0, 2]),
    loss="cross_entropy",
)
"""N = 5, D = 2, four hidden units, K = 3: all different."""

ONE_SAMPLE = Problem(
    network=Network(
        layers=(
            Layer(
                weights=np.array([[0.3, -0.8, 0.5, 0.9], [0.7, 0.4, -0.6, 0.1], [-0.2, 1.0, 0.8, -0.5]]),
                bias=np.array([0.4, -0.1, 0.6, -0.7]),
                activation="softmax",
            ),
        )
    ),
    inputs=np.array([[0.7, -0.9, 0.4]]),
    targets=np.array([2]),
    loss="cross_entropy",
)
"""The chain of one sample: D = 3, K = 4."""


def with_hidden(activation: str) -> Problem:
    """Put another activation into the hidden layer, and one pre-activation of exactly 0."""
    first, last = TWO_LAYERS.network.layers
    weights = np.array([[0.5, -0.8, 0.4, 0.9], [-0.5, 0.3, 1.0, -0.2]])
    # 0.5 · 0.5 + 0.25 · 0.5 = 0.375, without any rounding
    first = replace(first, weights=weights, bias=np.array([-0.375, -0.4, 0.3, 0.1]), activation=activation)
    inputs = np.vstack([[[0.5, -0.25]], TWO_LAYERS.inputs[1:]])
    return replace(TWO_LAYERS, network=Network(layers=(first, last)), inputs=inputs)


def set_question(
    problem: Problem, *asks: str, stated: frozenset[str] | None = frozenset(), decimals: int | None = None
) -> Solution:
    """Ask for quantities of a problem."""
    return Solution(Question(problem=problem, asks=read_asks(asks, problem), decimals=decimals, stated=stated))


def hand_in(
    solution: Solution,
    answers: Mapping[str, object],
    *,
    tolerance: Tolerance | None = None,
    policy: Policy | None = None,
    follow_through: bool = True,
) -> Grade:
    """Hand in arrays, lists, numbers or text."""
    written = {name: raw.tolist() if isinstance(raw, np.ndarray) else raw for name, raw in answers.items()}
    return grade_submission(
        solution,
        Submission(
            answers={name: read_answer(raw) for name, raw in written.items()},
            tolerance=tolerance,
            policy=policy or Policy(),
            follow_through=follow_through,
        ),
    )


def mark(problem: Problem, key: str, answer: object, *, tolerance: Tolerance | None = None) -> Part:
    """Hand in one quantity alone, in the conventions that hold."""
    return hand_in(set_question(problem, key, stated=None), {key: answer}, tolerance=tolerance).parts[0]


def grade_of(
    problem: Problem, answers: Mapping[str, object], *, policy: Policy | None = None, follow_through: bool = True
) -> Grade:
    """Hand in what was worked out by hand, as in an exercise, where every convention is binding."""
    written = {
        key: np.round(value, DECIMALS) if isinstance(value, np.ndarray) else value for key, value in answers.items()
    }
    solution = set_question(problem, *answers, stated=None, decimals=DECIMALS)
    return hand_in(solution, written, policy=policy, follow_through=follow_through)


def part_of(grade: Grade, name: str) -> Part:
    """Find a part by its id."""
    return next(part for part in grade.parts if part.quantity == name)


def verdicts(grade: Grade) -> dict[str, str]:
    """List what is said of each part."""
    return {part.quantity: part.verdict for part in grade.parts}


def names_in(part: Part) -> set[str]:
    """Name the mistakes of a diagnosis, and those that give the same numbers."""
    found = part.diagnoses or ()
    return {name for diagnosis in found for name in (*diagnosis.mistakes, *diagnosis.equivalent)}


def slipped(value: Array, *places: tuple[int, ...]) -> Array:
    """Put another number into some places."""
    found = np.round(value, DECIMALS)
    for number, place in enumerate(places, start=1):
        found[place] += 0.07 * number
    return found


def work_out(problem: Problem, decimals: int | None = None) -> dict[str, Array]:
    """Work out tanh layers below a softmax with cross-entropy, with every number rounded on the way, or none."""
    return work_out_by(problem, lambda value: value if decimals is None else np.asarray(np.round(value, decimals)))


def work_out_by(problem: Problem, by_hand: Rounding) -> dict[str, Array]:
    """Work out tanh layers below a softmax with cross-entropy, with every number put through a rounding.

    Written from the textbook, a line for each formula: nothing of core's is called.
    """
    layers = problem.network.layers
    targets, conventions = np.eye(problem.n_out)[np.asarray(problem.targets)], problem.conventions
    divisor = problem.n_samples if conventions.reduction == "mean" else 1
    unit = 1.0 if conventions.log_base == "e" else np.log(conventions.log_base)
    found, a = {}, problem.inputs
    for number, layer in enumerate(layers, start=1):
        found[f"Z{number}"] = z = by_hand(a @ layer.weights + (0.0 if layer.bias is None else layer.bias))
        a = by_hand(np.tanh(z) if number < len(layers) else np.exp(z) / np.exp(z).sum(axis=1, keepdims=True))
        found[f"A{number}"] = a
    losses = by_hand(-np.log((a * targets).sum(axis=1)) / unit)
    found["S"] = found.pop(f"A{len(layers)}")
    found["L"] = by_hand(np.asarray(losses.sum() / divisor + _penalty(problem)))
    grad = by_hand((a - targets) / (divisor * unit))
    for number in range(len(layers), 0, -1):
        layer, below = layers[number - 1], found[f"A{number - 1}"] if number > 1 else problem.inputs
        decay, bias_decay = _decays(conventions, problem.n_samples)
        found[f"dL_dZ{number}"] = grad
        found[f"dL_dW{number}"] = by_hand(below.T @ grad + decay * layer.weights)
        if layer.bias is not None:
            found[f"dL_db{number}"] = by_hand(grad.sum(axis=0) + bias_decay * layer.bias)
        found[f"dL_dA{number - 1}" if number > 1 else "dL_dX"] = back = by_hand(grad @ layer.weights.T)
        grad = by_hand(back * (1.0 - below**2))
    return found


def _decays(conventions: Conventions, n_samples: int) -> tuple[float, float]:
    decay = 2.0 * conventions.l2.factor * conventions.l2.strength / (n_samples if conventions.l2.per_sample else 1)
    return decay, decay if conventions.l2.biases else 0.0


def _penalty(problem: Problem) -> float:
    l2, layers = problem.conventions.l2, problem.network.layers
    squares = sum(float((layer.weights**2).sum()) for layer in layers)
    squares += sum(float((layer.bias**2).sum()) for layer in layers if layer.bias is not None and l2.biases)
    return l2.factor * l2.strength * squares / (problem.n_samples if l2.per_sample else 1)


def work_out_jacobian(s: Array) -> Array:
    """Work out dS/dZ of each sample from its probabilities."""
    return np.array([np.diag(row) - np.outer(row, row) for row in s])
