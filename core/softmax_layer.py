"""One softmax layer at one sample, the long way: every factor as a matrix, their product, the shortcut.

The chain of the source article: dL/dW = dL/dS · dS/dZ · dZ/dW, a row of D·K numbers that stacks W by
columns. The shortcut: dL/dW = x ⊗ (s − y), in W's own shape. This module alone speaks of one sample:
its arrays have no sample axis.

References
----------
.. [1] Bishop, Pattern Recognition and Machine Learning, 2006, eq. 4.106 (dS/dZ) and 4.109 (dL/dW).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from types import MappingProxyType

import numpy as np

from core.arrays import Array
from core.budget import Budget
from core.errors import CoreError, NonFiniteError, Path, ShapeError
from core.jacobians import (
    Link,
    Values,
    compute_product,
    evaluate_together,
    labels_of,
    names_behind,
    path_between,
    require_room,
)
from core.nodes import symbol_of
from core.problem import Layer, Network, Problem
from core.quantities import Quantity, parse_quantities

DEFAULT_QUANTITIES = ("Z", "S", "dL_dS", "dS_dZ", "dZ_dW", "dS_dW", "dL_dZ", "dL_dW", "dL_db", "dL_dX")
"""What is computed where nobody says what."""

CHAIN = ("dL_dS", "dS_dZ", "dZ_dW")
"""The factors of dL/dW."""

CHAIN_KEYS = ("dL_dA1", "dA1_dZ1", "dZ1_dW1")
SHORTCUT = "dL_dW1"


@dataclass(frozen=True, kw_only=True, eq=False)
class SoftmaxLayer:
    """A softmax layer with cross-entropy in nats, one sample and its target.

    Parameters
    ----------
    weights : ndarray, shape (n_in, n_classes)
    bias : ndarray, shape (n_classes,), optional
        Without one it is zero, and dL_db is the derivative by that zero.
    inputs : ndarray, shape (1, n_in)
    target : ndarray
        A class index of shape (1,), or a distribution of shape (1, n_classes).
    quantities : tuple of str, optional
        The ids asked for; without them all of `DEFAULT_QUANTITIES`.

    Raises
    ------
    CoreError
        As `Problem` does, with paths into this object.
    """

    weights: Array
    bias: Array | None = None
    inputs: Array
    target: Array
    quantities: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        try:
            # reading the ids checks them, and builds the problem on the way
            _ = self.plan
        except CoreError as error:
            field, *rest = error.path
            if field in ("inputs", "targets"):
                # the problem's path goes through the only sample's index, this object has none
                raise error.at((field.replace("targets", "target"), *rest[1:])) from None
            raise
        if len(self.inputs) != 1:
            raise ShapeError(f"inputs have {len(self.inputs)} samples, needed one", path=("inputs",))

    @cached_property
    def problem(self) -> Problem:
        """The layer as a network of one layer and a batch of one."""
        bias = self.bias
        if bias is None and getattr(self.weights, "ndim", 0) == 2:
            bias = np.zeros(self.weights.shape[1], self.weights.dtype)
        layer = Layer(weights=self.weights, bias=bias, activation="softmax")
        network = Network(layers=(layer,))
        return Problem(network=network, inputs=self.inputs, targets=self.target, loss="cross_entropy")

    @cached_property
    def plan(self) -> "_Plan":
        """What to compute for them."""
        ids = DEFAULT_QUANTITIES if self.quantities is None else self.quantities
        # the problem's own errors come first
        _ = self.problem
        return _make_plan(tuple(ids))

    def path_of(self, index: int) -> Path:
        """Return where a quantity stands in this object; nowhere, if nobody asked."""
        return () if self.quantities is None else ("quantities", index)


@dataclass(frozen=True, eq=False)
class _Plan:
    """What ids stand for, and what of the table they need: whatever the numbers are, it is the same in every layer."""

    asked: Mapping[str, Quantity]
    # of Jacobians, by id
    links: Mapping[str, tuple[Link, ...]]
    names: tuple[str, ...]
    is_chain: bool


@lru_cache(maxsize=64)
def _make_plan(ids: tuple[str, ...]) -> _Plan:
    layer = Layer(weights=np.zeros((1, 1)), bias=np.zeros(1), activation="softmax")
    targets, inputs = np.ones((1, 1)), np.ones((1, 1))
    problem = Problem(network=Network(layers=(layer,)), inputs=inputs, targets=targets, loss="cross_entropy")
    asked = parse_quantities(ids, problem, path=("quantities",))
    jacobians = {text: quantity for text, quantity in asked.items() if quantity.is_jacobian}
    links = {text: path_between(problem, found.of, str(found.by)) for text, found in jacobians.items()}
    is_chain = {quantity.key for quantity in asked.values()}.issuperset(CHAIN_KEYS)
    names = ["L", SHORTCUT] if is_chain else ["L"]
    names += [quantity.key for text, quantity in asked.items() if text not in jacobians]
    names += [name for path in links.values() for name in names_behind(path)]
    return _Plan(MappingProxyType(asked), MappingProxyType(links), tuple(dict.fromkeys(names)), is_chain)


@dataclass(frozen=True, kw_only=True, eq=False)
class LayerQuantity:
    """One quantity of one sample.

    Parameters
    ----------
    value : ndarray
        Shape (n_out,), (n_in,) or (n_in, n_out); for a Jacobian (n_rows, n_columns); () for the loss.
    shape : tuple of int
    rows, columns : tuple of str or None
        A Jacobian's labels, counted from 1.
    """

    value: Array
    shape: tuple[int, ...]
    rows: tuple[str, ...] | None = None
    columns: tuple[str, ...] | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Chain:
    """The long way to dL/dW and what it differs from the shortcut.

    Parameters
    ----------
    factors : tuple of str
        The ids of the three factors, in the order of the product.
    row : ndarray, shape (n_in · n_out,)
        Their product, W stacked by columns.
    max_abs_difference : float
        The largest difference between the row and the shortcut x ⊗ (s − y).
    """

    factors: tuple[str, ...]
    row: Array
    max_abs_difference: float


@dataclass(frozen=True, kw_only=True, eq=False)
class SoftmaxLayerResult:
    """What the layer gives.

    Parameters
    ----------
    loss : float
        The cross-entropy in nats.
    quantities : mapping of str to LayerQuantity
        What was asked for, under the ids as asked.
    chain : Chain or None
        Where its three factors are among them.
    """

    loss: float
    quantities: Mapping[str, LayerQuantity]
    chain: Chain | None = None


def compute_softmax_layer(layer: SoftmaxLayer, *, budget: Budget | None = None) -> SoftmaxLayerResult:
    """Compute a softmax layer's quantities, the long way and by the shortcut.

    Parameters
    ----------
    layer : SoftmaxLayer
    budget : Budget, optional

    Returns
    -------
    SoftmaxLayerResult

    Raises
    ------
    TooLargeError
        If the quantities asked for exceed the budget.
    NonFiniteError
        If one does not fit float64; −y/S does not where S underflows.
    """
    problem, plan, budget = layer.problem, layer.plan, budget or Budget()
    require_room(problem, list(plan.asked.values()), budget, path_of=layer.path_of)
    values = evaluate_together(problem, plan.names, budget)
    quantities, by_key = {}, {}
    for index, (text, quantity) in enumerate(plan.asked.items()):
        try:
            quantities[text] = found = _compute(problem, quantity, plan.links.get(text), values)
        except NonFiniteError as error:
            raise error.at(layer.path_of(index)) from None
        by_key[quantity.key] = found.value
    loss = float(values(("L",))["L"])
    chain = _multiply_chain(by_key, values((SHORTCUT,))[SHORTCUT]) if plan.is_chain else None
    return SoftmaxLayerResult(loss=loss, quantities=quantities, chain=chain)


def _compute(problem: Problem, quantity: Quantity, links: tuple[Link, ...] | None, values: Values) -> LayerQuantity:
    if links is not None:
        value = compute_product(problem, quantity, links, values)[0]
        rows, columns = labels_of(problem, quantity)
        return LayerQuantity(value=value, shape=value.shape, rows=rows, columns=columns)
    value = values((quantity.key,))[quantity.key]
    if symbol_of(quantity.node).has_samples:
        value = value[0]
    return LayerQuantity(value=value, shape=value.shape)


def _multiply_chain(values: Mapping[str, Array], shortcut: Array) -> Chain:
    dL_dS, dS_dZ, dZ_dW = (values[key] for key in CHAIN_KEYS)
    row = dL_dS @ dS_dZ @ dZ_dW
    difference = np.abs(row - shortcut.ravel(order="F")).max()
    return Chain(factors=CHAIN, row=row, max_abs_difference=float(difference))
