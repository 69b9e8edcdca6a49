"""Every invariant of a problem: literal cases with the error, where it points and what it says."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np
import pytest

from core.arrays import Array, as_index, require_array
from core.conventions import L2, L2_FACTORS, LOG_BASES, REDUCTIONS, Conventions, StatedConventions, Switch
from core.errors import CoreError, DomainError, NonFiniteError, ShapeError, UnknownNameError
from core.losses import LOSSES
from core.problem import Layer, Network, Problem
from tests.support.problems import two_layers

NAN, INF = float("nan"), float("inf")
LABELS = np.array([0, 1])
CROSS, BINARY, SQUARED = "cross_entropy", "binary_cross_entropy", "squared_error"


def ones(*shape: int) -> Array:
    """Build an array of ones."""
    return np.ones(shape)


def floats(*rows: object) -> Array:
    """Build an array of floating-point numbers."""
    return np.array(rows, dtype=np.float64)


def layer(n_in: int = 2, n_out: int = 2, *, activation: str = "softmax", **changes: Any) -> Layer:
    """Build a layer of ones, or one that differs."""
    return replace(Layer(weights=ones(n_in, n_out), activation=activation), **changes)


def network(*shapes: tuple[int, int]) -> Network:
    """Build layers of these shapes."""
    return Network(layers=tuple(layer(*shape) for shape in shapes))


def problem(*, activation: str = "softmax", **changes: Any) -> Problem:
    """Build a problem of one layer with two inputs, two outputs and two samples, or one that differs."""
    layers = (layer(activation=activation),)
    return replace(Problem(network=Network(layers=layers), inputs=ones(2, 2)), **changes)


LAYERS = [
    ({"weights": ones(3)}, ShapeError, "weights", "found 1 axis, needed 2: a list of rows"),
    ({"weights": ones(0, 3)}, ShapeError, "weights", "found shape (0, 3)"),
    ({"weights": ones(2, 2).astype(int)}, DomainError, "weights", "needed a NumPy array of floating-point numbers"),
    ({"weights": [[1.0, 2.0]]}, DomainError, "weights", "found list, needed a NumPy array"),
    ({"weights": floats([1.0, NAN])}, DomainError, "weights/0/1", "every number must be finite"),
    ({"weights": floats([1.0], [-INF])}, DomainError, "weights/1/0", "every number must be finite"),
    ({"activation": "swish"}, UnknownNameError, "activation", "needed one of identity, sigmoid, tanh"),
    ({"bias": ones(3)}, ShapeError, "bias", "the bias has 3 numbers, the weights have 2 columns; they must be equal"),
    ({"bias": ones(1, 2)}, ShapeError, "bias", "found 2 axes, needed 1: a list of numbers"),
    ({"bias": floats(0.0, NAN)}, DomainError, "bias/1", "every number must be finite"),
]
NETWORKS = [
    ((), ShapeError, "layers", "found no layer; a network needs at least one"),
    (((2, 3), (2, 2)), ShapeError, "layers/1/weights", "layer 1 gives 3 outputs, the weights of layer 2 have 2 rows"),
    (((2, 3), (3, 4), (3, 2)), ShapeError, "layers/2/weights", "they must be equal because Z3 = A2·W3"),
]
INPUTS = [
    ({"inputs": ones(2, 3)}, ShapeError, "inputs", "inputs have 3 features, weights of the first layer have 2 rows"),
    ({"inputs": ones(2)}, ShapeError, "inputs", "found 1 axis"),
    ({"inputs": ones(0, 2)}, ShapeError, "inputs", "every axis needs at least one entry"),
    ({"inputs": floats([1.0, 1.0], [INF, 1.0])}, DomainError, "inputs/1/0", "every number must be finite"),
    ({"targets": LABELS}, DomainError, "loss", "found targets without loss; a loss needs both"),
    ({"loss": SQUARED}, DomainError, "targets", "found loss without targets; a loss needs both"),
]
TARGETS = [
    (LABELS, "hinge", "softmax", UnknownNameError, "loss", "needed one of cross_entropy"),
    (ones(2, 2), CROSS, "tanh", DomainError, "loss", "needs softmax outputs, the last layer's activation is tanh"),
    (ones(2, 2), BINARY, "softmax", DomainError, "loss", "needs sigmoid outputs"),
    (np.array([0, 1, 1]), CROSS, "softmax", ShapeError, "targets", "targets have 3 samples, inputs have 2"),
    (ones(3, 2), SQUARED, "tanh", ShapeError, "targets", "targets have 3 samples, inputs have 2"),
    (ones(2, 3), SQUARED, "softmax", ShapeError, "targets", "targets have 3 columns, the last layer has 2 outputs"),
    (ones(2, 2, 1), SQUARED, "softmax", ShapeError, "targets", "found 3 axes, needed 2"),
    (ones(2, 2).astype(int), SQUARED, "tanh", DomainError, "targets", "needed a NumPy array of floating-point"),
    (floats(0.0, 1.0), CROSS, "softmax", DomainError, "targets", "needed a NumPy array of integer numbers"),
    ([0, 1], CROSS, "softmax", DomainError, "targets", "found list"),
    (np.array([0, 2]), CROSS, "softmax", DomainError, "targets/1", "class index of sample 1 is 2; needed 0 to 1"),
    (np.array([-1, 0]), SQUARED, "softmax", DomainError, "targets/0", "the class index of sample 0 is -1"),
    (LABELS, SQUARED, "tanh", DomainError, "targets", "class indices need softmax outputs, one per class"),
    (floats([1.0, 0.0], [0.5, 0.4]), CROSS, "softmax", DomainError, "targets/1", "its sum is 0.9"),
    (floats([1.0, 0.0], [0.5, NAN]), CROSS, "softmax", DomainError, "targets/1/1", "every number must be finite"),
    (floats([1.0, 0.0], [2.0, 0.0]), BINARY, "sigmoid", DomainError, "targets/1/0", "row 1, column 0 is 2"),
]
PENALTIES = [
    ({"strength": -0.1}, DomainError, "strength", "the L2 strength is -0.1; needed a finite number of at least 0"),
    ({"strength": INF}, DomainError, "strength", "the L2 strength is inf"),
    (
        {"strength": 1e308, "factor": 1.0},
        DomainError,
        "strength",
        "needed one whose 2 · factor · strength fits float64",
    ),
    ({"strength": NAN}, DomainError, "strength", "the L2 strength is nan"),
    ({"factor": 2.0}, DomainError, "factor", "the L2 factor is 2; needed 0.5 or 1"),
]
CONVENTIONS = [
    ({"reduction": "none"}, UnknownNameError, "reduction", "needed one of mean, sum, mean_over_entries"),
    ({"log_base": 3}, UnknownNameError, "log_base", 'needed "e", 2 or 10'),
    ({"log_base": "2"}, UnknownNameError, "log_base", 'needed "e", 2 or 10'),
    ({"column_order": "F"}, UnknownNameError, "column_order", "needed one of columns_first, rows_first"),
    ({"relu_at_zero": 0.25}, DomainError, "relu_at_zero", "relu_at_zero is 0.25; needed 0, 1 or 0.5"),
    ({"relu_at_zero": NAN}, DomainError, "relu_at_zero", "needed 0, 1 or 0.5"),
]

FAULT = ("error", "path", "message")
Fault: TypeAlias = tuple[type[CoreError], str, str]


def assert_refused(build: Callable[[], object], fault: Fault) -> None:
    """Demand an error of exactly this class, at this path, with this piece of message."""
    error, path, message = fault
    with pytest.raises(error) as caught:
        build()
    assert type(caught.value) is error
    assert "/".join(map(str, caught.value.path)) == path
    assert message in str(caught.value)


@pytest.mark.parametrize(("changes", *FAULT), LAYERS)
def test_a_wrong_layer_is_refused(changes: dict[str, Any], error: type[CoreError], path: str, message: str) -> None:
    assert_refused(lambda: layer(**changes), (error, path, message))


@pytest.mark.parametrize(("shapes", *FAULT), NETWORKS)
def test_layers_that_do_not_fit_together_are_refused(
    shapes: tuple[tuple[int, int], ...], error: type[CoreError], path: str, message: str
) -> None:
    assert_refused(lambda: network(*shapes), (error, path, message))


@pytest.mark.parametrize(("changes", *FAULT), INPUTS)
def test_wrong_inputs_are_refused(changes: dict[str, Any], error: type[CoreError], path: str, message: str) -> None:
    assert_refused(lambda: problem(**changes), (error, path, message))


@pytest.mark.parametrize(("targets", "loss", "activation", *FAULT), TARGETS)
def test_wrong_targets_are_refused(
    targets: Array, loss: str, activation: str, error: type[CoreError], path: str, message: str
) -> None:
    assert_refused(lambda: problem(targets=targets, loss=loss, activation=activation), (error, path, message))


@pytest.mark.parametrize(("changes", *FAULT), PENALTIES)
def test_a_wrong_penalty_is_refused(changes: dict[str, Any], error: type[CoreError], path: str, message: str) -> None:
    assert_refused(lambda: L2(**changes), (error, path, message))


@pytest.mark.parametrize(("changes", *FAULT), CONVENTIONS)
def test_wrong_conventions_are_refused(
    changes: dict[str, Any], error: type[CoreError], path: str, message: str
) -> None:
    assert_refused(lambda: Conventions(**changes), (error, path, message))


@pytest.mark.parametrize("loss", [name for name, entry in LOSSES.items() if not entry.logarithmic])
def test_a_loss_without_a_logarithm_takes_no_base(loss: str) -> None:
    base_2 = Conventions(log_base=2)
    fault = (DomainError, "conventions/log_base", f"log_base is 2, the loss {loss} has no logarithm")
    assert_refused(lambda: problem(targets=ones(2, 2), loss=loss, conventions=base_2), fault)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("factor", L2_FACTORS)
@pytest.mark.parametrize("base", LOG_BASES)
def test_every_stated_convention_is_taken(reduction: str, factor: float, base: str | int) -> None:
    conventions = Conventions(reduction=reduction, l2=L2(strength=0.0, factor=factor), log_base=base)
    if reduction == "mean_over_entries":
        conventions, targets, loss = replace(conventions, log_base="e"), ones(2, 2), "squared_error"
    else:
        targets, loss = np.array([0, 1]), "cross_entropy"
    found = problem(targets=targets, loss=loss, conventions=conventions)
    assert found.conventions is conventions


@pytest.mark.parametrize("loss", [name for name, entry in LOSSES.items() if not entry.mean_over_entries])
def test_only_a_loss_that_frameworks_average_over_entries_takes_that_mean(loss: str) -> None:
    over_entries = Conventions(reduction="mean_over_entries")
    fault = (DomainError, "conventions/reduction", "needed one of squared_error, half_squared_error")
    activation = LOSSES[loss].output_activation or "identity"
    targets = np.full((2, 2), 0.5)
    assert_refused(lambda: problem(activation=activation, targets=targets, loss=loss, conventions=over_entries), fault)


def test_conventions_default_to_a_mean_without_penalty_in_nats() -> None:
    l2 = L2(strength=0.0, factor=0.5, biases=False, per_sample=False)
    assert Conventions() == Conventions(
        reduction="mean", l2=l2, log_base="e", column_order="columns_first", relu_at_zero=0.0
    )


@pytest.mark.parametrize(
    ("switch", "changed"),
    [
        (("reduction", "sum"), Conventions(reduction="sum", log_base=2)),
        (("l2.per_sample", True), Conventions(l2=L2(per_sample=True), log_base=2)),
        (("relu_at_zero", 0.5), Conventions(relu_at_zero=0.5, log_base=2)),
    ],
)
def test_one_convention_is_changed_and_the_others_stay(switch: Switch, changed: Conventions) -> None:
    found = Conventions(log_base=2).under(switch)
    assert found == changed
    assert found.value(switch[0]) == switch[1]


def test_what_was_stated_goes_with_the_conventions() -> None:
    conventions = Conventions(reduction="sum", relu_at_zero=1.0)
    stated = StatedConventions.of(conventions, frozenset({"reduction"}))
    assert (stated.reduction, stated.relu_at_zero) == ("sum", 1.0)
    assert stated.stated == {"reduction"}
    assert stated.plain() == conventions
    assert type(stated.plain()) is Conventions


def test_a_problem_knows_its_sizes() -> None:
    found = two_layers()
    assert (found.n_samples, found.n_features, found.n_out) == (3, 2, 2)
    assert (found.network.depth, found.network.widths, found.network.output_activation) == (2, (2, 3, 2), "softmax")
    assert (found.network.layers[0].n_in, found.network.layers[0].n_out) == (2, 3)


def test_class_indices_become_one_hot_rows() -> None:
    found = problem(targets=np.array([1, 0]), loss="cross_entropy")
    assert found.has_labels
    assert found.target_distribution().tolist() == [[0.0, 1.0], [1.0, 0.0]]


def test_a_distribution_stays_what_it_is() -> None:
    found = two_layers()
    assert not found.has_labels
    assert found.target_distribution() is found.targets


def test_without_targets_there_is_no_distribution() -> None:
    assert not problem().has_labels
    with pytest.raises(DomainError, match="the problem has no targets") as caught:
        problem().target_distribution()
    assert caught.value.path == ("targets",)


def test_an_error_moved_to_another_path_is_the_same_error() -> None:
    error = ShapeError("too long", path=("bias",))
    moved = error.at(("network", "layers", 0, "bias"))
    assert type(moved) is ShapeError
    assert (str(moved), moved.path) == ("too long", ("network", "layers", 0, "bias"))
    assert error.path == ("bias",)
    assert isinstance(error, ValueError)
    assert NonFiniteError("too large").path == ()


def test_numbers_alone_have_no_axes() -> None:
    require_array(np.array(1.0), 0, "loss")
    with pytest.raises(ShapeError, match="loss: found 1 axis, needed 0: a number"):
        require_array(np.ones(1), 0, "loss")


def test_an_entrys_index_is_found_from_its_place_in_memory() -> None:
    assert [as_index(flat, (2, 3)) for flat in (0, 2, 3, 5)] == [(0, 0), (0, 2), (1, 0), (1, 2)]
    assert as_index(0, ()) == ()
