"""Forward passes and gradients: the two readings of the table that most callers want.

References
----------
.. [1] Nielsen, Neural Networks and Deep Learning, 2015, chapter 2, equations BP1 to BP4.
"""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import cast

from core.arrays import Array
from core.budget import Budget
from core.conventions import Conventions
from core.errors import DomainError, NonFiniteError
from core.jacobians import derivative_numbers, describe_size
from core.problem import Problem
from core.quantities import parse_quantities, public_name
from core.steps import evaluate
from core.verification import Check, check_gradients


@dataclass(frozen=True, kw_only=True, eq=False)
class LayerActivations:
    """What one layer computes.

    Parameters
    ----------
    pre_activations : ndarray, shape (n_samples, n_out)
    activations : ndarray, shape (n_samples, n_out)
    """

    pre_activations: Array
    activations: Array


@dataclass(frozen=True, kw_only=True, eq=False)
class Forward:
    """A forward pass.

    Parameters
    ----------
    layers : tuple of LayerActivations
    outputs : ndarray, shape (n_samples, n_out)
        The last layer's activations.
    loss : float or None
        The batch's loss, L2 included; None without targets, like the next two.
    losses : ndarray or None, shape (n_samples,)
        Each sample's loss, without L2.
    conventions : Conventions or None
    """

    layers: tuple[LayerActivations, ...]
    outputs: Array
    loss: float | None = None
    losses: Array | None = None
    conventions: Conventions | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class LayerGradients:
    """The loss's derivative by one layer's parameters.

    Parameters
    ----------
    grad_weights : ndarray, shape (n_in, n_out)
    grad_bias : ndarray or None, shape (n_out,)
        None where the layer has no bias.
    """

    grad_weights: Array
    grad_bias: Array | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Gradients:
    """The loss and its derivative by every parameter and by the inputs.

    Parameters
    ----------
    loss : float
    layers : tuple of LayerGradients
    grad_inputs : ndarray, shape (n_samples, n_in)
    conventions : Conventions
    check : Check or None
        The comparison with a derivative that shares no code with the backward pass, where asked for.
    """

    loss: float
    layers: tuple[LayerGradients, ...]
    grad_inputs: Array
    conventions: Conventions
    check: Check | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class NamedValue:
    """A quantity's value.

    Parameters
    ----------
    value : ndarray
    shape : tuple of int
    """

    value: Array
    shape: tuple[int, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class NamedValues:
    """Quantities under the ids that they were asked by.

    Parameters
    ----------
    quantities : mapping of str to NamedValue
    conventions : Conventions
    """

    quantities: Mapping[str, NamedValue]
    conventions: Conventions


def compute_forward(problem: Problem, *, budget: Budget | None = None) -> Forward:
    """Run the forward pass, and the loss where the problem has one.

    Parameters
    ----------
    problem : Problem
    budget : Budget, optional

    Returns
    -------
    Forward

    Raises
    ------
    TooLargeError
        If the activations exceed the budget.
    NonFiniteError
        If a number does not fit float64.
    """
    numbers = range(1, problem.network.depth + 1)
    names = [f"{symbol}{number}" for number in numbers for symbol in "ZA"]
    values = evaluate(problem, names + (["losses", "L"] if problem.loss else []), budget=budget)
    layers = tuple(LayerActivations(pre_activations=values[f"Z{n}"], activations=values[f"A{n}"]) for n in numbers)
    if problem.loss is None:
        return Forward(layers=layers, outputs=layers[-1].activations)
    return Forward(
        layers=layers,
        outputs=layers[-1].activations,
        loss=float(values["L"]),
        losses=values["losses"],
        conventions=problem.conventions,
    )


def parameter_gradient_names(problem: Problem) -> tuple[str, ...]:
    """Name the loss's derivatives by the parameters, layer by layer.

    Parameters
    ----------
    problem : Problem

    Returns
    -------
    tuple of str
        ``("dL_dW1", "dL_db1", "dL_dW2", ...)``; no ``dL_db{l}`` where layer l has no bias.
    """
    return _parameter_gradient_names(problem.network.biases)


@lru_cache(maxsize=256)
def _parameter_gradient_names(biases: tuple[bool, ...]) -> tuple[str, ...]:
    layers = enumerate(biases, start=1)
    return tuple(name for n, has_bias in layers for name in (f"dL_dW{n}", f"dL_db{n}")[: 1 + has_bias])


def gradient_names(problem: Problem) -> tuple[str, ...]:
    """Name the loss's derivatives by everything that can be changed: the parameters, then the inputs.

    Parameters
    ----------
    problem : Problem

    Returns
    -------
    tuple of str
    """
    return (*parameter_gradient_names(problem), "dL_dX")


def compute_gradients(problem: Problem, *, check: bool = False, budget: Budget | None = None) -> Gradients:
    """Compute the loss's gradients by back-propagation.

    Parameters
    ----------
    problem : Problem
        With targets and loss.
    check : bool
        Whether to compare entries with complex steps through the forward pass: every entry, or a sample where
        that would exceed the budget.
    budget : Budget, optional

    Returns
    -------
    Gradients

    Raises
    ------
    TooLargeError
        If the gradients exceed the budget.
    NonFiniteError
        If a number does not fit float64.
    """
    budget = budget or Budget()
    names = gradient_names(problem)
    values = evaluate(problem, ("L", *names), budget=budget)
    layers = tuple(
        LayerGradients(grad_weights=values[f"dL_dW{n}"], grad_bias=values.get(f"dL_db{n}"))
        for n in range(1, problem.network.depth + 1)
    )
    return Gradients(
        loss=float(values["L"]),
        layers=layers,
        grad_inputs=values["dL_dX"],
        conventions=problem.conventions,
        check=check_gradients(problem, {name: values[name] for name in names}, budget=budget) if check else None,
    )


def compute_named(problem: Problem, ids: tuple[str, ...], *, budget: Budget | None = None) -> NamedValues:
    """Compute forward quantities and derivatives of the loss by name.

    Parameters
    ----------
    problem : Problem
    ids : tuple of str
        ``"Z1"``, ``"L"``, ``"dL_dZ1"``.
    budget : Budget, optional

    Returns
    -------
    NamedValues

    Raises
    ------
    UnknownNameError
        If the problem has no such quantity.
    DomainError
        If one is asked for twice, or is a Jacobian.
    TooLargeError
        If they exceed the budget together.
    NonFiniteError
        If a number does not fit float64.
    """
    budget = budget or Budget()
    asked = parse_quantities(ids, problem, path=("quantities",))
    for index, quantity in enumerate(asked.values()):
        if quantity.is_jacobian:
            raise DomainError(
                f"{public_name(quantity.key, problem)} is a Jacobian; needed a forward quantity or a derivative of L, "
                "because those have one array for all samples",
                path=("quantities", index),
            )
    numbers = 0
    for index, quantity in enumerate(asked.values()):
        numbers += derivative_numbers(problem, quantity)
        what = f"{describe_size(problem, quantity)}, all asked for so far together"
        budget.require_numbers(numbers, what, path=("quantities", index))
    keys = [quantity.key for quantity in asked.values()]
    try:
        # one pass has them all, however many they are
        values = evaluate(problem, keys, budget=budget)
    except NonFiniteError:
        raise _first_refusal(problem, keys, budget) from None
    found = {
        text: NamedValue(value=values[key], shape=values[key].shape) for text, key in zip(asked, keys, strict=True)
    }
    return NamedValues(quantities=found, conventions=problem.conventions)


def _first_refusal(problem: Problem, keys: Sequence[str], budget: Budget) -> NonFiniteError:
    """Return why the first of quantities that cannot be had together cannot be had, in few passes."""

    def refusal_of(some: Sequence[str]) -> NonFiniteError | None:
        try:
            evaluate(problem, some, budget=budget)
        except NonFiniteError as error:
            return error
        return None

    # as soon as it is among those asked, they are refused
    index = bisect_left(range(len(keys)), 1, key=lambda last: refusal_of(keys[: last + 1]) is not None)
    return cast("NonFiniteError", refusal_of(keys[: index + 1])).at(("quantities", index))
