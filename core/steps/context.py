"""Where a rule of the table is applied, and what a rule may know there beside its inputs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from core.activations import ACTIVATIONS, Activation
from core.conventions import Conventions, Switch
from core.losses import LOSSES, Loss
from core.problem import Layer, Problem


@dataclass(frozen=True, slots=True)
class RuleContext:
    """Where a rule is applied: what it may know beside its inputs."""

    problem: Problem
    number: int
    # of a rule applied under another convention than the problem's
    others: Conventions | None = None

    @property
    def conventions(self) -> Conventions:
        """The conventions to apply the rule under."""
        return self.others or self.problem.conventions

    def under(self, switch: Switch) -> "RuleContext":
        """Return the same context under another convention."""
        return RuleContext(self.problem, self.number, self.conventions.under(switch))

    @property
    def layer(self) -> Layer:
        """The layer at hand."""
        return self.problem.network.layers[self.number - 1]

    @property
    def activation(self) -> Activation:
        """Its activation, with the slope at 0 that the conventions say."""
        return find_activation(self.layer.activation, self.conventions.relu_at_zero)

    @property
    def loss(self) -> Loss:
        """The problem's loss; rules that read it are in the table only where there is one."""
        return LOSSES[str(self.problem.loss)]


SIZES: Mapping[str, Callable[[RuleContext], float]] = {
    "n": lambda context: float(context.problem.n_samples),
    "D": lambda context: float(context.layer.n_in),
    "K": lambda context: float(context.problem.n_out),
}
"""The numbers of samples, of inputs of the layer, and of outputs of the network, by their symbols in formulas."""


def find_activation(name: str, relu_at_zero: float) -> Activation:
    """Return an activation, with the slope at 0 that a convention says.

    Parameters
    ----------
    name : str
    relu_at_zero : float

    Returns
    -------
    Activation
    """
    entry = ACTIVATIONS[name]
    return entry.at_zero(relu_at_zero) if relu_at_zero and entry.at_zero else entry


@dataclass(frozen=True, slots=True)
class Structure:
    """What decides which steps a problem has; its numbers do not."""

    biases: tuple[bool, ...]
    has_loss: bool
    has_logits: bool

    @property
    def depth(self) -> int:
        """The number of layers."""
        return len(self.biases)

    def is_fused(self, layer: int) -> bool:
        """Tell whether the loss goes straight to a layer's pre-activations, past its activations."""
        return layer == self.depth and self.has_logits
