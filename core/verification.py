"""Derivatives by differences of the forward pass, to check those of the backward pass.

Nothing here calls a derivative: each entry is nudged and the table of steps is run forward to the loss.
The complex step has no cancellation and is exact to the last digits; central differences are there for a
reader's own check. Activations and losses branch on real parts, so a complex step goes through them
(through abs, maximum or logaddexp it would not).

References
----------
.. [1] Squire & Trapp, Using complex variables to estimate derivatives of real functions, SIAM Review
   40(1), 1998.
.. [2] Nocedal & Wright, Numerical Optimization, 2nd ed. 2006, section 8.1 (step of central differences).
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np

from core.arrays import Array, as_index
from core.budget import Budget, forward_operations
from core.problem import Problem
from core.quantities import public_name, shape_of
from core.registry import Registry
from core.steps import evaluate

COMPLEX_STEP = 2.0**-200
"""A power of two, so that dividing by it is exact; so small that no weights make it large on the way."""

FAINTEST = float(np.finfo(np.float64).smallest_normal) / COMPLEX_STEP
"""The smallest derivative that a complex step still sees; relative errors of smaller ones are parts of it."""

COMPLEX_COST = 4
"""Real multiplications in a complex one."""


@dataclass(frozen=True, kw_only=True)
class Method:
    """A way to differentiate without derivatives.

    Parameters
    ----------
    name : str
    differentiate : callable
        ``differentiate(loss_at, array, index)`` gives the derivative of ``loss_at`` by one entry of the array.
    """

    name: str
    differentiate: Callable[[Callable[[Array], Array], Array, tuple[int, ...]], float]


def _complex_step(loss_at: Callable[[Array], Array], array: Array, index: tuple[int, ...]) -> float:
    # f(w + ih) = f(w) + ih·f'(w) + O(h²): the imaginary part holds the derivative alone
    nudged = array.astype(np.complex128)
    nudged[index] += 1j * COMPLEX_STEP
    return float(loss_at(cast("Array", nudged)).imag) / COMPLEX_STEP


def _central_difference(loss_at: Callable[[Array], Array], array: Array, index: tuple[int, ...]) -> float:
    # the cube root of the rounding error balances it against the truncation error h²
    step = np.cbrt(np.finfo(array.dtype).eps) * max(1.0, abs(float(array[index])))
    above, below = array.copy(), array.copy()
    above[index] += step
    below[index] -= step
    return float(loss_at(above) - loss_at(below)) / float(above[index] - below[index])


METHODS: Registry[Method] = Registry(
    "verification method",
    Method(name="complex_step", differentiate=_complex_step),
    Method(name="central_differences", differentiate=_central_difference),
)


@dataclass(frozen=True, kw_only=True)
class WorstEntry:
    """The entry whose error is the largest part of its array's largest entry.

    Parameters
    ----------
    quantity : str
        Canonical id.
    index : tuple of int
        From 0.
    analytic, numeric : float
        The derivative by the backward pass, and by the method.
    """

    quantity: str
    index: tuple[int, ...]
    analytic: float
    numeric: float


@dataclass(frozen=True, kw_only=True)
class Check:
    """How far derivatives are from differences of the forward pass.

    Parameters
    ----------
    method : str
    max_abs_error : float
        Over all entries.
    max_rel_error : float
        Over all entries, each as a part of the largest entry of its array.
    worst : WorstEntry
    """

    method: str
    max_abs_error: float
    max_rel_error: float
    worst: WorstEntry


def check_gradients(
    problem: Problem, gradients: Mapping[str, Array], *, method: str = "complex_step", budget: Budget | None = None
) -> Check:
    """Compare derivatives of the loss with differences of the forward pass.

    Parameters
    ----------
    problem : Problem
    gradients : mapping of str to ndarray
        Derivatives under numbered names: ``"dL_dW1"``.
    method : str
        A name in `METHODS`.
    budget : Budget, optional

    Returns
    -------
    Check

    Raises
    ------
    UnknownNameError
        If there is no such method.
    TooLargeError
        If one forward pass for every entry exceeds the budget.
    """
    METHODS.require(method)
    require_affordable_check(problem, gradients, budget or Budget())
    errors: list[tuple[float, float, WorstEntry]] = []
    for name, analytic in gradients.items():
        numeric = differentiate_numerically(problem, name, method=method, budget=budget)
        difference = np.abs(analytic - numeric)
        index = as_index(int(difference.argmax()), difference.shape)
        largest = max(np.abs(analytic).max(), np.abs(numeric).max(), FAINTEST)
        absolute = float(difference[index])
        worst = WorstEntry(
            quantity=public_name(name, problem),
            index=index,
            analytic=float(analytic[index]),
            numeric=float(numeric[index]),
        )
        errors.append((absolute, absolute / float(largest), worst))
    max_rel_error, worst = max(((relative, worst) for _, relative, worst in errors), key=lambda pair: pair[0])
    return Check(
        method=method,
        max_abs_error=max(absolute for absolute, _, _ in errors),
        max_rel_error=max_rel_error,
        worst=worst,
    )


def differentiate_numerically(
    problem: Problem, name: str, *, method: str = "complex_step", budget: Budget | None = None
) -> Array:
    """Differentiate the loss by a parameter or by the inputs, one forward pass or two an entry.

    Parameters
    ----------
    problem : Problem
    name : str
        A derivative's numbered name: ``"dL_dW1"``, ``"dL_dX"``.
    method : str
        A name in `METHODS`.
    budget : Budget, optional
        What each forward pass may hold and do.

    Returns
    -------
    ndarray, of the shape of what the loss is differentiated by
    """
    node = name.removeprefix("dL_d")
    array = evaluate(problem, [node], budget=budget)[node]

    def loss_at(nudged: Array) -> Array:
        return evaluate(problem, ["L"], given={node: nudged}, budget=budget)["L"]

    differentiate = METHODS[method].differentiate
    entries = [differentiate(loss_at, array, index) for index in np.ndindex(array.shape)]
    return np.array(entries).reshape(array.shape)


def require_affordable_check(problem: Problem, names: Iterable[str], budget: Budget) -> None:
    """Check from shapes that one forward pass for every entry fits the budget.

    Parameters
    ----------
    problem : Problem
    names : iterable of str
        The derivatives to check.
    budget : Budget

    Raises
    ------
    TooLargeError
        If it does not.
    """
    entries = sum(math.prod(shape_of(name.removeprefix("dL_d"), problem)) for name in names)
    forward = COMPLEX_COST * forward_operations(problem.network, problem.n_samples)
    budget.require_operations(entries * forward, f"the check takes {entries} forward passes, one an entry")


def differentiate_outputs(problem: Problem, of: str, by: str) -> Array:
    """Differentiate a forward quantity by one upstream, by complex steps through the forward pass.

    Parameters
    ----------
    problem : Problem
    of, by : str
        Numbered nodes: ``"A2"``, ``"W1"``.

    Returns
    -------
    ndarray, shape (n_samples, n_rows, n_columns)
        A Jacobian for each sample, weights stacked by columns.
    """
    array = evaluate(problem, [by])[by]
    is_parameter = by[0] in "Wb"
    # samples do not mix: one step in each of them gives a column for all
    places = [index[::-1] for index in np.ndindex(array.shape[::-1])] if is_parameter else range(array.shape[1])
    columns = []
    for place in places:
        nudged = array.astype(np.complex128)
        nudged[place if is_parameter else (slice(None), place)] += 1j * COMPLEX_STEP
        columns.append(evaluate(problem, [of], given={by: cast("Array", nudged)})[of].imag / COMPLEX_STEP)
    return np.stack(columns, axis=-1)
