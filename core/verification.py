"""Derivatives by differences of the forward pass, to check those of the backward pass.

Nothing here calls a derivative: an entry is nudged and the table of steps is run forward to the loss. That
takes one forward pass an entry. Where all entries would exceed the budget, a sample of them is checked.
The complex step has no cancellation and is exact to the last digits; central differences are there for a
reader's own check. Activations and losses branch on real parts, so a complex step goes through them
(through abs, maximum or logaddexp it would not). At exactly z = 0 the value of relu gives a complex step the
slope that the conventions state, so the check agrees with it; a central difference gives ½ there.

References
----------
.. [1] Squire & Trapp, Using complex variables to estimate derivatives of real functions, SIAM Review
   40(1), 1998.
.. [2] Nocedal & Wright, Numerical Optimization, 2nd ed. 2006, section 8.1 (step of central differences).
"""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import cast

import numpy as np

from core.arrays import Array, as_index
from core.budget import CALL_COST, Budget
from core.nodes import shape_of, symbol_of
from core.problem import Problem
from core.quantities import public_name, to_quantity
from core.registry import Registry
from core.steps import evaluate

COMPLEX_STEP = 2.0**-200
"""A power of two, so that dividing by it is exact; so small that no weights make it large on the way."""

SMALLEST_VISIBLE_DERIVATIVE = float(np.finfo(np.float64).smallest_normal) / COMPLEX_STEP
"""The smallest derivative that a complex step still sees; relative errors of smaller ones are parts of it."""

COMPLEX_COST = 4
"""Real multiplications in a complex one."""

SAMPLING_SEED = "check"
"""The same problem has the same entries sampled, always."""


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
class CheckedEntries:
    """How many entries a check compared.

    Parameters
    ----------
    checked : int
        Equal to `of` where every entry was compared.
    of : int
        The entries of all arrays.
    """

    checked: int
    of: int


@dataclass(frozen=True, kw_only=True)
class Check:
    """How far derivatives are from differences of the forward pass.

    Parameters
    ----------
    method : str
    max_abs_error : float
        Over the entries that were compared.
    max_rel_error : float
        Over the same entries, each as a part of the largest entry of its array.
    worst : WorstEntry
    entries : CheckedEntries
    """

    method: str
    max_abs_error: float
    max_rel_error: float
    worst: WorstEntry
    entries: CheckedEntries


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
        Where a forward pass for every entry exceeds its operations, fewer entries are compared: as many from
        each array as from any other, or all that it has. One entry is compared in any case.

    Returns
    -------
    Check

    Raises
    ------
    UnknownNameError
        If there is no such method.
    """
    METHODS.require(method)
    budget = budget or Budget()
    sizes = {name: gradient.size for name, gradient in gradients.items()}
    shares = _share_out(sizes, max(1, budget.operations // _pass_operations(problem)))
    errors: list[tuple[float, float, WorstEntry]] = []
    for name, analytic in gradients.items():
        indices = [as_index(place, analytic.shape) for place in _sample(name, sizes[name], shares[name])]
        if not indices:
            continue
        numeric = _differentiate(problem, name, indices, method=method, budget=budget)
        difference = np.abs([analytic[index] for index in indices] - numeric)
        place = int(difference.argmax())
        # in double precision: the smallest visible derivative is 0 in single
        largest = max(float(np.abs(analytic).max()), float(np.abs(numeric).max()), SMALLEST_VISIBLE_DERIVATIVE)
        absolute = float(difference[place])
        worst = WorstEntry(
            quantity=public_name(name, problem),
            index=indices[place],
            analytic=float(analytic[indices[place]]),
            numeric=float(numeric[place]),
        )
        errors.append((absolute, absolute / largest, worst))
    max_rel_error, worst = max(((relative, worst) for _, relative, worst in errors), key=lambda pair: pair[0])
    return Check(
        method=method,
        max_abs_error=max(absolute for absolute, _, _ in errors),
        max_rel_error=max_rel_error,
        worst=worst,
        entries=CheckedEntries(checked=sum(shares.values()), of=sum(sizes.values())),
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
    shape = shape_of(to_quantity(name).node, problem)
    return _differentiate(problem, name, list(np.ndindex(shape)), method=method, budget=budget).reshape(shape)


def _differentiate(
    problem: Problem, name: str, indices: Sequence[tuple[int, ...]], *, method: str, budget: Budget | None
) -> Array:
    node = to_quantity(name).node
    array = evaluate(problem, [node], budget=budget)[node]

    def loss_at(nudged: Array) -> Array:
        return evaluate(problem, ["L"], given={node: nudged}, budget=budget)["L"]

    differentiate = METHODS[method].differentiate
    return np.array([differentiate(loss_at, array, index) for index in indices])


def _pass_operations(problem: Problem) -> int:
    """Count the multiply-adds of one forward pass in complex numbers, calls included."""
    network = problem.network
    return COMPLEX_COST * problem.n_samples * network.sample_operations + 2 * CALL_COST * network.depth


def _share_out(sizes: Mapping[str, int], most: int) -> dict[str, int]:
    """Share entries out evenly; what a small array has no use for goes to the larger ones."""
    shares, left = {}, most
    for position, name in enumerate(sorted(sizes, key=lambda name: sizes[name])):
        shares[name] = min(sizes[name], left // (len(sizes) - position))
        left -= shares[name]
    return shares


def _sample(name: str, size: int, count: int) -> list[int]:
    """Choose entries, one from each of as many equal stretches of the flat array."""
    if count == size:
        return list(range(size))
    source = random.Random(f"{SAMPLING_SEED} {name}")  # noqa: S311 - a choice of entries, no secret
    edges = [size * number // count for number in range(count + 1)] if count else []
    return [start + int(source.random() * (end - start)) for start, end in pairwise(edges)]


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
        A Jacobian for each sample, weights stacked as column_order says.
    """
    array = evaluate(problem, [by])[by]
    is_parameter = symbol_of(by).is_parameter
    indices = list(np.ndindex(array.shape))
    if problem.conventions.column_order == "columns_first":
        indices.sort(key=lambda index: index[::-1])
    # samples do not mix: one step in each of them gives a column for all
    places = indices if is_parameter else range(array.shape[1])
    columns = []
    for place in places:
        nudged = array.astype(np.complex128)
        nudged[place if is_parameter else (slice(None), place)] += 1j * COMPLEX_STEP
        columns.append(evaluate(problem, [of], given={by: cast("Array", nudged)})[of].imag / COMPLEX_STEP)
    return np.stack(columns, axis=-1)
