"""What is differentiated: layers, the network they make, and the problem as a whole.

Frozen dataclasses that check their own invariants; a change is `dataclasses.replace`.
"""

from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple, Self

import numpy as np

from core.activations import ACTIVATIONS
from core.arrays import Array, require_array
from core.conventions import Conventions, Switch
from core.errors import DomainError, ShapeError, counted
from core.losses import LOSSES


@dataclass(frozen=True, kw_only=True, eq=False)
class Layer:
    """A dense layer: Z = X·W + b, A = activation(Z).

    Parameters
    ----------
    weights : ndarray, shape (n_in, n_out)
    activation : str
        A name in `ACTIVATIONS`.
    bias : ndarray, shape (n_out,), optional
        A layer without one has no derivative by it either.

    Raises
    ------
    ShapeError
        If the bias has another length than the weights have columns.
    DomainError
        If a number is not finite.
    UnknownNameError
        If there is no such activation.
    """

    weights: Array
    activation: str
    bias: Array | None = None

    def __post_init__(self) -> None:
        require_array(self.weights, 2, "weights", path=("weights",))
        ACTIVATIONS.require(self.activation, path=("activation",))
        if self.bias is not None:
            require_array(self.bias, 1, "bias", path=("bias",))
            if len(self.bias) != self.n_out:
                raise ShapeError(
                    f"the bias has {counted(len(self.bias), 'number')}, the weights have "
                    f"{counted(self.n_out, 'column')}; they must be equal because Z = X·W + b",
                    path=("bias",),
                )

    @property
    def n_in(self) -> int:
        """The number of inputs, the weights' rows."""
        return int(self.weights.shape[0])

    @property
    def n_out(self) -> int:
        """The number of outputs, the weights' columns."""
        return int(self.weights.shape[1])


@dataclass(frozen=True, kw_only=True, eq=False)
class Network:
    """Dense layers, each fed by the one before.

    Parameters
    ----------
    layers : tuple of Layer
        At least one.

    Raises
    ------
    ShapeError
        If there is no layer, or one does not take what the one before it gives.
    """

    layers: tuple[Layer, ...]

    def __post_init__(self) -> None:
        if not self.layers:
            raise ShapeError("found no layer; a network needs at least one", path=("layers",))
        for number, (below, above) in enumerate(pairwise(self.layers), start=1):
            if below.n_out != above.n_in:
                raise ShapeError(
                    f"layer {number} gives {counted(below.n_out, 'output')}, the weights of layer {number + 1} have "
                    f"{counted(above.n_in, 'row')}; they must be equal because Z{number + 1} = A{number}·W{number + 1}",
                    path=("layers", number, "weights"),
                )

    @property
    def depth(self) -> int:
        """The number of layers."""
        return len(self.layers)

    @cached_property
    def widths(self) -> tuple[int, ...]:
        """The number of features at the input and after each layer, (depth + 1) numbers."""
        return (self.layers[0].n_in, *(layer.n_out for layer in self.layers))

    @cached_property
    def biases(self) -> tuple[bool, ...]:
        """Whether each layer has a bias."""
        return tuple(layer.bias is not None for layer in self.layers)

    @cached_property
    def sample_operations(self) -> int:
        """What one sample's forward pass takes, in multiply-adds."""
        products = sum(n_in * n_out for n_in, n_out in pairwise(self.widths))
        return products + sum(layer.n_out * ACTIVATIONS[layer.activation].cost for layer in self.layers)

    @property
    def n_parameters(self) -> int:
        """The number of weights and biases."""
        return sum(layer.weights.size + (0 if layer.bias is None else layer.bias.size) for layer in self.layers)

    @property
    def output_activation(self) -> str:
        """The last layer's activation."""
        return self.layers[-1].activation

    @property
    def gives_distribution(self) -> bool:
        """Whether each row of outputs is a distribution over classes."""
        return ACTIVATIONS[self.output_activation].gives_distribution


class Traits(NamedTuple):
    """What decides how a problem is computed; its numbers do not. A tuple, because it is looked up at every call.

    Parameters
    ----------
    biases : tuple of bool
        Whether each layer has a bias.
    loss : str or None
    has_labels : bool
        Whether the targets are class indices.
    has_penalty : bool
        Whether L2 adds something to the loss.
    """

    biases: tuple[bool, ...]
    loss: str | None
    has_labels: bool
    has_penalty: bool


@dataclass(frozen=True, kw_only=True, eq=False)
class Problem:
    """A network at given inputs and, where a loss is involved, its targets, loss and conventions.

    Parameters
    ----------
    network : Network
    inputs : ndarray, shape (n_samples, n_in)
    targets : ndarray, optional
        Class indices, integers of shape (n_samples,), for softmax outputs; or floating-point numbers of
        shape (n_samples, n_out).
    loss : str, optional
        A name in `LOSSES`; together with targets or not at all.
    conventions : Conventions

    Raises
    ------
    ShapeError
        If arrays do not fit together.
    DomainError
        If targets lie outside the loss's domain, or the loss does not fit the last activation.
    UnknownNameError
        If there is no such loss.
    """

    network: Network
    inputs: Array
    targets: Array | None = None
    loss: str | None = None
    conventions: Conventions = field(default_factory=Conventions)

    def __post_init__(self) -> None:
        require_array(self.inputs, 2, "inputs", path=("inputs",))
        n_in = self.network.widths[0]
        if self.n_features != n_in:
            raise ShapeError(
                f"inputs have {counted(self.n_features, 'feature')}, weights of the first layer have "
                f"{counted(n_in, 'row')}; they must be equal because Z = X·W",
                path=("inputs",),
            )
        if (self.targets is None) != (self.loss is None):
            missing, given = ("targets", "loss") if self.targets is None else ("loss", "targets")
            raise DomainError(f"found {given} without {missing}; a loss needs both", path=(missing,))
        if self.loss is not None:
            self._require_fitting_loss(self.loss)
        if self.targets is not None and self.loss is not None:
            self._require_fitting_targets(self.targets, self.loss)

    @property
    def n_samples(self) -> int:
        """The number of samples, the rows of the inputs."""
        return int(self.inputs.shape[0])

    @property
    def n_features(self) -> int:
        """The number of features, the columns of the inputs."""
        return int(self.inputs.shape[1])

    @cached_property
    def dtype(self) -> np.dtype[np.float64]:
        """The floating-point type that inputs, weights and biases are computed in: the widest of theirs."""
        layers = self.network.layers
        parameters = [p for layer in layers for p in (layer.weights, layer.bias) if p is not None]
        return np.result_type(self.inputs, *parameters)

    @cached_property
    def traits(self) -> Traits:
        """What decides how it is computed."""
        return Traits(
            biases=self.network.biases,
            loss=self.loss,
            has_labels=self.has_labels,
            has_penalty=self.conventions.l2.strength > 0.0,
        )

    @property
    def n_out(self) -> int:
        """The number of outputs of the last layer."""
        return self.network.widths[-1]

    @property
    def has_labels(self) -> bool:
        """Whether the targets are class indices."""
        return self.targets is not None and self.targets.ndim == 1

    def under(self, switch: Switch) -> Self:
        """Return the same problem under another convention; checked like any problem."""
        return replace(self, conventions=self.conventions.under(switch))

    def target_distribution(self) -> Array:
        """Return the targets as numbers per output; class indices become one-hot rows.

        Returns
        -------
        ndarray, shape (n_samples, n_out)
        """
        if self.targets is None:
            raise DomainError("the problem has no targets", path=("targets",))
        if not self.has_labels:
            return self.targets
        one_hot = np.zeros((self.n_samples, self.n_out), self.dtype)
        one_hot[np.arange(self.n_samples), self.targets.astype(np.intp)] = 1.0
        return one_hot

    def _require_fitting_loss(self, name: str) -> None:
        LOSSES.require(name, path=("loss",))
        needed, found = LOSSES[name].output_activation, self.network.output_activation
        if needed is not None and needed != found:
            raise DomainError(
                f"the loss {name} needs {needed} outputs, the last layer's activation is {found}; "
                f"its formula takes the outputs as probabilities",
                path=("loss",),
            )
        if self.conventions.reduction == "mean_over_entries" and not LOSSES[name].mean_over_entries:
            fitting = ", ".join(loss for loss, entry in LOSSES.items() if entry.mean_over_entries)
            raise DomainError(
                f"the reduction is mean_over_entries, the loss is {name}; needed one of {fitting}, because "
                f"{name} is averaged over samples, not over samples and outputs",
                path=("conventions", "reduction"),
            )
        if not LOSSES[name].logarithmic and self.conventions.log_base != "e":
            raise DomainError(
                f'log_base is {self.conventions.log_base}, the loss {name} has no logarithm; needed "e"',
                path=("conventions", "log_base"),
            )

    def _require_fitting_targets(self, targets: Array, loss: str) -> None:
        n_axes = 1 if getattr(targets, "ndim", 2) == 1 else 2
        require_array(targets, n_axes, "targets", kind="i" if n_axes == 1 else "f", path=("targets",))
        if len(targets) != self.n_samples:
            raise ShapeError(
                f"targets have {counted(len(targets), 'sample')}, inputs have {self.n_samples}; they must be equal "
                "because each sample has its own target",
                path=("targets",),
            )
        if n_axes == 1:
            self._require_labels(targets)
        elif targets.shape[1] != self.n_out:
            raise ShapeError(
                f"targets have {counted(targets.shape[1], 'column')}, the last layer has "
                f"{counted(self.n_out, 'output')}; they must be equal because the loss compares them one by one",
                path=("targets",),
            )
        else:
            LOSSES[loss].require_targets(targets, ("targets",))

    def _require_labels(self, labels: Array) -> None:
        if not self.network.gives_distribution:
            raise DomainError(
                f"targets are class indices, the last layer's activation is {self.network.output_activation}; "
                "class indices need softmax outputs, one per class: hand in a row of numbers per sample",
                path=("targets",),
            )
        wrong = (labels < 0) | (labels >= self.n_out)
        if wrong.any():
            row = int(wrong.argmax())
            raise DomainError(
                f"the class index of sample {row} is {labels[row]}; needed 0 to {self.n_out - 1}, because the "
                f"last layer has {counted(self.n_out, 'output')} and classes count from 0",
                path=("targets", row),
            )
