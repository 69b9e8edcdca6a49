"""What a rule of the table is, and what it may know beside its inputs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from core.activations import ACTIVATIONS, Activation
from core.arrays import Array
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
        entry, slope = ACTIVATIONS[self.layer.activation], self.conventions.relu_at_zero
        return entry.at_zero(slope) if slope and entry.at_zero else entry

    @property
    def loss(self) -> Loss:
        """The problem's loss; rules that read it are in the table only where there is one."""
        return LOSSES[str(self.problem.loss)]


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


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalJacobian:
    """The derivative of one forward rule by one of its inputs, one matrix per sample.

    Parameters
    ----------
    by : str
        What it is taken by, in words.
    formula, latex, shape : str
        The matrix; its columns follow weights as column_order says.
    inputs : tuple of str
        Templates of the quantities it is computed from.
    pull : callable
        ``pull(context, rows, *inputs)`` multiplies rows, shape (n_samples, n_rows, n_out), by the matrix
        from the right. Applied to the identity it gives the matrix itself.
    matrix : callable or None
        ``matrix(context, *inputs)`` gives the matrix itself, where that takes less than pulling the identity;
        None where it does not.
    rounding_bound : callable
        ``rounding_bound(context, rounding, errors, rows, *inputs)`` bounds the error of the product, as
        `Rule.rounding_bound` does; the errors are of the rows and of each input.
    from_outputs : callable or None
        ``from_outputs(context, rows, *inputs)``: the textbook's form of `pull`, as `Rule.from_outputs` is that
        of `Rule.apply`.
    """

    by: str
    formula: str
    latex: str
    shape: str
    inputs: tuple[str, ...]
    pull: Callable[..., Array]
    rounding_bound: Callable[..., Array]
    matrix: Callable[..., Array | None] = lambda context, *inputs: None
    from_outputs: Callable[..., Array] | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Rule:
    """How one kind of quantity is computed.

    Parameters
    ----------
    name : str
        What the rule is called; a replacement carries the name of the rule that it replaces.
    output : str
        Template of the quantity it computes.
    inputs : tuple of str
        Templates of what it takes.
    apply : callable
        ``apply(context, *inputs)``. It counts axes from the last: inputs may be stacks, one entry for each of
        several cases along a first axis more, and then so is the output. A stack of numbers has further axes
        of length 1, as many as the output has without its first.
    quantity, formula, latex, shape : str
        For people: the quantity's name in words, the formula, and the shape of the output.
    applies : callable
        ``applies(structure, layer)``: whether the table has the step.
    jacobians : mapping
        Local Jacobians by input template; forward rules only.
    advice : str
        What helps when the result overflows.
    from_outputs : callable or None
        ``from_outputs(context, *inputs)``: the textbook's form, where `apply` goes past the layer's activations, for
        activations that are not those of the pre-activations: a student's own, or a mistake's.
    rounding_bound : callable or None
        ``rounding_bound(context, rounding, errors, *inputs)`` bounds, entry by entry and to first order, how far
        the output lies off when each input lies off by up to its error, and what is written down on the way is
        rounded.
        None where nothing is rounded.
    """

    name: str
    output: str
    inputs: tuple[str, ...]
    apply: Callable[..., Array]
    quantity: str
    formula: str
    latex: str
    shape: str
    applies: Callable[[Structure, int], bool] = lambda structure, layer: True
    jacobians: Mapping[str, LocalJacobian] = field(default_factory=dict)
    advice: str = "smaller inputs, weights or targets help"
    from_outputs: Callable[..., Array] | None = None
    rounding_bound: Callable[..., Array] | None = None

    @property
    def is_repeated(self) -> bool:
        """Whether the table has the rule for every layer rather than once."""
        return "{l" in self.output
