"""Slow, obvious derivatives at fifty digits and more, which share no code with core's numerics.

Of core they take the *formulas* alone: each registry entry's `formula` and `derivative`, computed here with operations
of their own over arrays of mpmath numbers. So a new entry is tested without a change to the tests.
Derivatives are central differences, whose error at these precisions lies far below float64's.
"""

import operator
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from mpmath import mp  # type: ignore[import-untyped]  # mpmath carries no types

from core.activations import ACTIVATIONS
from core.arrays import Array
from core.formulas import Expression, Name, Number
from core.losses import LOSSES
from core.problem import Problem

KINK = mp.mpf("1e-10")
"""How near to 0 a pre-activation of relu counts as 0."""

Exact: TypeAlias = npt.NDArray[np.object_]
"""An array of mpmath numbers; a number alone is one of no axes."""

DIGITS = 50
"""What a whole problem is computed with."""

ENTRY_DIGITS = 400
"""What one entry is computed with: 1 + erf(-30/√2) is 1e-197, so fifty digits of it take 250."""


def exact(numbers: npt.ArrayLike) -> Exact:
    """Take floats as the exact numbers they are."""
    return _elementwise(mp.mpf)(np.asarray(numbers, dtype=object))


def _elementwise(function: Callable[[Any], Any]) -> Callable[[Any], Exact]:
    over_arrays = np.frompyfunc(function, 1, 1)
    return lambda numbers: np.asarray(over_arrays(numbers), dtype=object)


OPERATORS: dict[str, Callable[..., Any]] = {
    "add": operator.add,
    "subtract": operator.sub,
    "negate": operator.neg,
    "multiply": operator.mul,
    "scale": operator.mul,
    "divide": operator.truediv,
    "product": operator.matmul,
    "power": lambda base, exponent: base ** int(exponent),
    "transpose": np.transpose,
    "abs": _elementwise(abs),
    "exp": _elementwise(mp.exp),
    "ln": _elementwise(mp.ln),
    "tanh": _elementwise(mp.tanh),
    "erf": _elementwise(mp.erf),
    "sqrt": _elementwise(mp.sqrt),
    "max": np.maximum,
    "greater": lambda a, b: np.where(a > b, mp.mpf(1), mp.mpf(0)),
    "at_least": lambda a, b: np.where(a >= b, mp.mpf(1), mp.mpf(0)),
    "sum_outputs": np.sum,
    "diag": lambda column: np.diag(column.ravel()),
}
"""What a formula of an entry may apply, to a row alone."""


def evaluate_formula(formula: Expression, **values: Exact) -> Exact:
    """Evaluate a registry entry's formula for one sample, at the precision in force."""
    if isinstance(formula, Name):
        return np.asarray(mp.pi if formula.text == "π" else values[formula.text], dtype=object)
    if isinstance(formula, Number):
        # the number that is written, not the float nearest to it
        return np.asarray(mp.mpf(repr(formula.value)), dtype=object)
    operands = [evaluate_formula(operand, **values) for operand in formula.operands]
    return np.asarray(OPERATORS[formula.operation](*operands), dtype=object)


def as_matrix(derivative: Exact, n: int) -> Exact:
    """Return a derivative text's value as a matrix: entry by entry means a diagonal."""
    return derivative if derivative.ndim == 2 else np.diag(np.broadcast_to(derivative, n))


def differentiate(function: Callable[[Exact], Exact], at: Exact) -> Exact:
    """Differentiate by central differences; the axes of what it is taken by come last."""
    # h² of truncation and 10^-digits/h of rounding meet at a third of the digits
    step = mp.mpf(10) ** (-mp.dps // 3)
    slopes = []
    for index in np.ndindex(at.shape):
        above, below = at.copy(), at.copy()
        above[index] += step
        below[index] -= step
        # NumPy turns the difference of two arrays without axes into a bare number
        slopes.append(np.asarray((function(above) - function(below)) / (2 * step), dtype=object))
    return np.moveaxis(np.stack(slopes), 0, -1).reshape(*slopes[0].shape, *at.shape)


def activation_value(name: str, z: Array) -> Exact:
    """Compute one row's activations from the entry's formula."""
    with mp.workdps(ENTRY_DIGITS):
        return evaluate_formula(ACTIVATIONS[name].formula, Z=exact(z))


def activation_jacobian(name: str, z: Array) -> Exact:
    """Differentiate the entry's formula at one row: (n_out, n_out)."""
    with mp.workdps(ENTRY_DIGITS):
        return differentiate(lambda row: evaluate_formula(ACTIVATIONS[name].formula, Z=row), exact(z))


def stated_activation_jacobian(name: str, z: Array) -> Exact:
    """Compute what the entry's derivative text says at one row: (n_out, n_out)."""
    with mp.workdps(ENTRY_DIGITS):
        a = evaluate_formula(ACTIVATIONS[name].formula, Z=exact(z))
        return as_matrix(evaluate_formula(ACTIVATIONS[name].derivative, Z=exact(z), A=a, s=a[:, None]), len(z))


def loss_value(name: str, activation: str, z: Array, y: Array) -> Exact:
    """Compute one sample's loss, in nats, from the entry's formula."""
    with mp.workdps(ENTRY_DIGITS):
        return _loss_of_logits(name, activation, exact(z), exact(y))


def loss_by_outputs(name: str, activation: str, z: Array, y: Array) -> Exact:
    """Differentiate one sample's loss formula by the outputs: (n_out,)."""
    with mp.workdps(ENTRY_DIGITS):
        a = evaluate_formula(ACTIVATIONS[activation].formula, Z=exact(z))
        return differentiate(lambda row: evaluate_formula(LOSSES[name].formula, A=row, Y=exact(y)), a)


def stated_loss_by_outputs(name: str, activation: str, z: Array, y: Array) -> Exact:
    """Compute what the loss's derivative text says of one sample: (n_out,)."""
    with mp.workdps(ENTRY_DIGITS):
        a = evaluate_formula(ACTIVATIONS[activation].formula, Z=exact(z))
        return evaluate_formula(LOSSES[name].derivative, A=a, Y=exact(y))


def loss_by_logits(name: str, activation: str, z: Array, y: Array) -> Exact:
    """Differentiate one sample's loss by the logits: (n_out,)."""
    with mp.workdps(ENTRY_DIGITS):
        return differentiate(lambda row: _loss_of_logits(name, activation, row, exact(y)), exact(z))


def _loss_of_logits(name: str, activation: str, z: Exact, y: Exact) -> Exact:
    a = evaluate_formula(ACTIVATIONS[activation].formula, Z=z)
    return evaluate_formula(LOSSES[name].formula, A=a, Y=y)


def exact_values(problem: Problem) -> dict[str, Exact]:
    """Collect what a problem's loss depends on, under numbered names: X, W1, b1, and so on."""
    values = {"X": exact(problem.inputs)}
    for number, layer in enumerate(problem.network.layers, start=1):
        values[f"W{number}"] = exact(layer.weights)
        if layer.bias is not None:
            values[f"b{number}"] = exact(layer.bias)
    return values


def exact_loss(problem: Problem) -> Exact:
    """Compute a whole problem's loss, conventions included."""
    with mp.workdps(DIGITS):
        return _loss_of_problem(problem, exact_values(problem))


def exact_gradient(problem: Problem, name: str) -> Exact:
    """Differentiate a whole problem's loss by one of its arrays: ``"W1"``, ``"X"``."""
    with mp.workdps(DIGITS):
        values = exact_values(problem)
        return differentiate(lambda array: _loss_of_problem(problem, values | {name: array}), values[name])


def _loss_of_problem(problem: Problem, values: dict[str, Exact]) -> Exact:
    assert problem.targets is not None
    assert problem.loss is not None
    conventions = problem.conventions
    total = mp.mpf(0)
    for row, target in zip(values["X"], problem.targets, strict=True):
        outputs = _outputs_of_sample(problem, values, row)
        if problem.targets.ndim == 1:
            y = exact([1 if k == target else 0 for k in range(len(outputs))])
        else:
            y = exact(target)
        total += evaluate_formula(LOSSES[problem.loss].formula, A=outputs, Y=y)[()]
    total /= {"mean": len(problem.targets), "sum": 1, "mean_over_entries": len(problem.targets) * problem.n_out}[
        conventions.reduction
    ]
    if conventions.log_base != "e":
        total /= mp.ln(conventions.log_base)
    penalised = "Wb" if conventions.l2.biases else "W"
    strength = mp.mpf(conventions.l2.strength) / (len(problem.targets) if conventions.l2.per_sample else 1)
    for name, array in values.items():
        if name[0] in penalised:
            total += mp.mpf(conventions.l2.factor) * strength * np.sum(array * array)
    return np.asarray(total, dtype=object)


def _outputs_of_sample(problem: Problem, values: dict[str, Exact], row: Exact) -> Exact:
    for number, layer in enumerate(problem.network.layers, start=1):
        weights, bias = values[f"W{number}"], values.get(f"b{number}")
        n_in, n_out = weights.shape
        z = []
        for output in range(n_out):
            total = mp.mpf(0) if bias is None else bias[output]
            for i in range(n_in):
                total += row[i] * weights[i, output]
            z.append(total)
        row = evaluate_formula(ACTIVATIONS[layer.activation].formula, Z=np.array(z, dtype=object))
        if layer.activation == "relu":
            # a line of the stated slope through a kink, longer than any step of the differences
            slope = mp.mpf(problem.conventions.relu_at_zero)
            row = np.array([slope * x if abs(x) < KINK else a for x, a in zip(z, row, strict=True)], dtype=object)
    return row


def entry_errors(found: npt.ArrayLike, truth: Exact) -> npt.NDArray[np.float64]:
    """Compute each entry's error as a part of the true entry; below float64's normal range, of its least number.

    An entry that float64 rounds to 0 or keeps a few bits of cannot be right to thirteen digits.
    """
    least = mp.mpf(np.finfo(np.float64).tiny)
    with mp.workdps(ENTRY_DIGITS):
        scale = np.maximum(np.abs(truth), least)
        return np.asarray(np.abs(exact(found) - truth) / scale, dtype=np.float64)


def array_error(found: npt.ArrayLike, truth: Exact) -> float:
    """Compute the largest error as a part of the array's largest true entry; 0 for two arrays of zeros."""
    with mp.workdps(ENTRY_DIGITS):
        difference, largest = np.max(np.abs(exact(found) - truth)), np.max(np.abs(truth))
        return float(difference / largest) if largest else float(difference)
