"""What requests hold."""

from dataclasses import field
from typing import Annotated

from pydantic import Field

from app.wire.fields import (
    AT_LEAST_ONE,
    ActivationName,
    Answers,
    AtLeastZero,
    ColumnOrder,
    L2Factor,
    LeftOut,
    LogBase,
    LossName,
    Matrix,
    QuantityIds,
    ReductionName,
    ReluSlope,
    Sample,
    SampleTarget,
    Targets,
    Vector,
    WholeNumber,
    wire_class,
)
from core.conventions import L2, Conventions
from core.descent import require_steps
from core.errors import DomainError
from core.problem import Layer, Network, Problem
from core.softmax_layer import SoftmaxLayer
from core.solutions import DEFAULT_DECIMALS

TARGETS_DESCRIPTION = (
    "Class indices from 0, shape (n_samples,), for softmax outputs (2 or 2.0); or numbers, shape (n_samples, n_out): a "
    "distribution a row for cross_entropy, 0 to 1 for binary_cross_entropy, any for the squared errors."
)
LOSS_DESCRIPTION = "The loss of one sample, summed over outputs; see /v1/catalogue."


@wire_class
class LayerBody(Layer):
    """A dense layer: Z = X·W + b, A = activation(Z)."""

    weights: Matrix
    """W, shape (n_in, n_out): a row for each input, a column for each output."""
    bias: LeftOut[Vector] = None
    """b, shape (n_out,); a layer without one has no grad_bias."""
    activation: ActivationName
    """The function from pre-activations to activations; see /v1/catalogue."""


@wire_class
class NetworkBody(Network):
    """A feed-forward network."""

    layers: Annotated[tuple[LayerBody, ...], Field(fail_fast=True), AT_LEAST_ONE]
    """From the inputs to the outputs; the n_out of each is the n_in of the next."""


@wire_class
class L2Body(L2):
    """The penalty factor · strength · Σ w² over all layers' weights."""

    strength: AtLeastZero = 0.0
    """0 is no penalty. Never divided by ln(log_base)."""
    factor: L2Factor = 0.5
    """0.5: the gradient gets strength · w. 1: it gets 2 · strength · w."""
    biases: bool = False
    """Whether biases are penalised as well."""
    per_sample: bool = False
    """Whether the penalty is divided by n_samples, as λ/2m."""


@wire_class
class ConventionsBody(Conventions):
    """The choices on which textbooks differ."""

    reduction: ReductionName = "mean"
    """How the samples' losses become one: their mean, their sum, or their sum over n_samples · n_out.

    mean_over_entries is for the squared errors only: PyTorch's mean.
    """
    l2: L2Body = field(default_factory=L2Body)
    """None by default (strength 0)."""
    log_base: LogBase = "e"
    """The cross-entropies' logarithm: "e", 2 or 10; with a squared error only "e"."""
    column_order: ColumnOrder = "columns_first"
    """How the columns of Jacobians by weights follow W: column by column, or row by row."""
    relu_at_zero: ReluSlope = 0.0
    """The slope of relu at exactly z = 0: 0, 1 or 0.5."""


@wire_class
class ForwardBody(Problem):
    """A network at given inputs; targets and loss come together or not at all."""

    # descriptions stand in the annotations here, because the classes below inherit those and not docstrings
    network: Annotated[NetworkBody, Field(description="The layers, from inputs to outputs.")]
    inputs: Annotated[Matrix, Field(description="X, shape (n_samples, n_in).")]
    targets: Annotated[LeftOut[Targets], Field(description=TARGETS_DESCRIPTION)] = None
    loss: Annotated[LeftOut[LossName], Field(description=LOSS_DESCRIPTION)] = None
    conventions: Annotated[ConventionsBody, Field(description="How the loss is taken; echoed complete.")] = field(
        default_factory=ConventionsBody
    )


@wire_class
class ProblemBody(ForwardBody):
    """A network at given inputs, with targets and loss."""

    targets: Annotated[Targets, Field(description=TARGETS_DESCRIPTION)] = field()
    loss: Annotated[LossName, Field(description=LOSS_DESCRIPTION)] = field()


@wire_class
class GradientsBody(ProblemBody):
    """A problem whose gradients are asked for."""

    check: bool = False
    """Compare entries with complex steps through the forward pass: all, or a sample where all would take too long."""
    quantities: LeftOut[QuantityIds] = None
    """Compute just these in place of all gradients: "Z1", "A2", "S", "L", "dL_dZ1", "dL_dA1"; not with check."""

    def __post_init__(self) -> None:
        """Check that what is checked is asked for."""
        super().__post_init__()
        if self.check and self.quantities is not None:
            raise DomainError(
                "found both check and quantities; a check compares the gradients by all parameters and the inputs, so "
                "leave quantities out",
                path=("check",),
            )


@wire_class
class JacobiansBody(ForwardBody):
    """A problem and the derivatives asked for; targets and loss are needed for those of L only."""

    jacobians: QuantityIds
    """Ids d{of}_d{by}: "dS_dW", "dA1_dX", "dL_dW1"."""


@wire_class
class StepsBody(ProblemBody):
    """A problem and the descent to take."""

    learning_rate: AtLeastZero
    """η in w ← w − η · ∂L/∂w."""
    count: WholeNumber
    """How many steps, each over the whole batch."""

    def __post_init__(self) -> None:
        """Check the descent as well as the problem."""
        super().__post_init__()
        require_steps(self.learning_rate, self.count)


@wire_class
class SoftmaxLayerBody(SoftmaxLayer):
    """A softmax layer with cross-entropy in nats, one sample and its target."""

    weights: Matrix
    """W, shape (n_in, n_classes)."""
    bias: LeftOut[Vector] = None
    """b, shape (n_classes,); without one it is zero."""
    inputs: Sample
    """x, shape (n_in,)."""
    target: SampleTarget
    """A class index from 0, or a distribution of shape (n_classes,)."""
    quantities: LeftOut[QuantityIds] = None
    """What to compute; by default all ten: Z, S, dL_dS, dS_dZ, dZ_dW, dS_dW, dL_dZ, dL_dW, dL_db, dL_dX."""


EntryIndex = tuple[WholeNumber, ...]


@wire_class
class SolutionBody:
    """What is worked out: a problem, or the exercise of a token."""

    problem: LeftOut[ForwardBody] = None
    """This, or a token; targets and loss where a loss is involved."""
    token: LeftOut[str] = None
    """In place of the problem: the exercise that it stands for. Below its level full the solution has no numbers."""
    answers: LeftOut[Answers] = None
    """With a token below full: steps are shown up to the first that these have not right; as /v1/grades takes them."""
    quantities: LeftOut[QuantityIds] = None
    """What is worked out; by default the gradient by every parameter, or what the exercise asks."""
    entry: LeftOut[dict[str, EntryIndex]] = None
    """Which entry of a step is written out, from 0, by the step's id; by default its largest in size."""
    decimals: WholeNumber = DEFAULT_DECIMALS
    """Those of the numbers that are written out; values keep all their digits."""
    derive: bool = False
    """Whether to derive dL_dZ of the last layer from dL_dS and dS_dZ, for a cross-entropy."""

    def __post_init__(self) -> None:
        """Check that there is one thing to work out, and answers only where they count."""
        if (self.problem is None) == (self.token is None):
            found = "neither problem nor token" if self.problem is None else "both problem and token"
            raise DomainError(f"found {found}; needed one of them to work out", path=("problem",))
        if self.answers is not None and self.token is None:
            raise DomainError(
                "found answers without a token; a problem of your own is worked out whatever the answers are",
                path=("answers",),
            )
