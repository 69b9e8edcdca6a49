"""What replies hold."""

from typing import Literal

from app.schemas.compute_bodies import ConventionsBody, NetworkBody
from app.schemas.grade_replies import KindReply, MistakeReply
from app.wire.fields import LeftOut, Matrix, Value, Vector, wire_class
from core.descent import Descent
from core.jacobians import Jacobian, Jacobians
from core.propagation import Forward, LayerActivations, LayerGradients, NamedValue
from core.softmax_layer import Chain, LayerQuantity, SoftmaxLayerResult
from core.solutions import Derivation, DerivationStep, SolutionStep, StepCheck, WorkedSolution, WrittenEntry
from core.verification import Check, CheckedEntries, WorstEntry


@wire_class
class LayerQuantityReply(LayerQuantity):
    """One quantity of one sample."""

    value: Value
    """The numbers; a Jacobian's as (n_rows, n_columns)."""
    shape: tuple[int, ...]
    """The value's shape."""
    rows: LeftOut[tuple[str, ...]] = None
    """Only for Jacobians: what each row is the derivative of, counted from 1."""
    columns: LeftOut[tuple[str, ...]] = None
    """Only for Jacobians: what each column is the derivative by; weights stacked by columns."""


@wire_class
class ChainReply(Chain):
    """The long way to dL/dW against the shortcut x ⊗ (s − y)."""

    factors: tuple[str, ...]
    """The ids of the factors, in the order of the product."""
    row: Vector
    """Their product: n_in · n_classes numbers that stack W by columns. `dL_dW` has W's own shape."""
    max_abs_difference: float
    """The largest difference between the two ways."""


@wire_class
class SoftmaxLayerReply(SoftmaxLayerResult):
    """A softmax layer, the long way."""

    loss: float
    """The cross-entropy in nats."""
    quantities: dict[str, LayerQuantityReply]
    """What was asked for, under the ids as asked."""
    chain: LeftOut[ChainReply] = None
    """Where its three factors were asked for."""


@wire_class
class LayerActivationsReply(LayerActivations):
    """What one layer computes."""

    pre_activations: Matrix
    """Z, shape (n_samples, n_out)."""
    activations: Matrix
    """A, shape (n_samples, n_out)."""


@wire_class
class ForwardReply(Forward):
    """A forward pass; the last three come with targets."""

    layers: tuple[LayerActivationsReply, ...]
    outputs: Matrix
    """The last layer's activations, shape (n_samples, n_out)."""
    loss: LeftOut[float] = None
    """The losses, reduced as the conventions say, plus L2."""
    losses: LeftOut[Vector] = None
    """Each sample's loss, without L2, shape (n_samples,)."""
    conventions: LeftOut[ConventionsBody] = None


@wire_class
class LayerGradientsReply(LayerGradients):
    """The loss's derivative by one layer's parameters."""

    grad_weights: Matrix
    """dL/dW, shape (n_in, n_out), as the weights."""
    grad_bias: LeftOut[Vector] = None
    """dL/db, shape (n_out,); absent where the layer has no bias."""


@wire_class
class WorstEntryReply(WorstEntry):
    """The entry whose error is the largest part of its array's largest entry."""

    quantity: str
    """Its array's id."""
    index: tuple[int, ...]
    """Its place there, from 0."""
    analytic: float
    """By the backward pass."""
    numeric: float
    """By the check's method."""


@wire_class
class CheckedEntriesReply(CheckedEntries):
    """How many entries were compared."""

    checked: int
    """Equal to `of` where every entry was compared."""
    of: int
    """The entries of all gradients."""


@wire_class
class CheckReply(Check):
    """How far the gradients are from differences of the forward pass."""

    method: str
    """How the check differentiates; it shares no code with the backward pass."""
    max_abs_error: float
    """Over the entries that were compared."""
    max_rel_error: float
    """Each error as a part of its array's largest entry."""
    worst: WorstEntryReply
    entries: CheckedEntriesReply
    """How many entries were compared, of how many; fewer than all where all would exceed the limit of operations."""


@wire_class
class NamedValueReply(NamedValue):
    """One quantity."""

    value: Value
    """The numbers."""
    shape: tuple[int, ...]
    """The value's shape."""


@wire_class
class GradientsReply:
    """The loss and its derivatives, or just the quantities asked for."""

    loss: LeftOut[float] = None
    """Without `quantities`, as all that follows."""
    layers: LeftOut[tuple[LayerGradientsReply, ...]] = None
    grad_inputs: LeftOut[Matrix] = None
    """dL/dX, shape (n_samples, n_in)."""
    conventions: ConventionsBody
    check: LeftOut[CheckReply] = None
    quantities: LeftOut[dict[str, NamedValueReply]] = None
    """Where asked for: under the ids as asked."""


@wire_class
class JacobianReply(Jacobian):
    """One derivative."""

    value: Value
    """(n_samples, n_rows, n_columns); for a derivative of L, the shape of what it is taken by."""
    shape: tuple[int, ...]
    """The value's shape."""
    factors: tuple[str, ...]
    """The local Jacobians on the path, in the order of the product."""
    rows: LeftOut[tuple[str, ...]] = None
    """What each row is the derivative of, counted from 1; absent for derivatives of L."""
    columns: LeftOut[tuple[str, ...]] = None
    """What each column is the derivative by; weights stacked as column_order says; absent for derivatives of L."""


@wire_class
class JacobiansReply(Jacobians):
    """Derivatives under the ids as asked."""

    conventions: ConventionsBody
    jacobians: dict[str, JacobianReply]


@wire_class
class StepsReply(Descent):
    """Where gradient descent led."""

    losses: tuple[float, ...]
    """Before the first step and after each: count + 1 numbers."""
    network: NetworkBody
    """After the last step, in the form of a request."""
    conventions: ConventionsBody


@wire_class
class StepCheckReply(StepCheck):
    """A property that holds whatever the numbers."""

    name: str
    statement: str
    """For students."""
    holds: bool
    """Whether it does here."""


@wire_class
class WrittenEntryReply(WrittenEntry):
    """One entry of a step, written out with its numbers."""

    index: tuple[int, ...]
    """From 0."""
    text: str
    """Rounded numbers: 1·0.5 + 2·0.3 + 0.1 = 1.2. Where they do not fit float64 on the way, the value alone."""
    value: float
    """With all its digits."""


@wire_class
class SolutionStepReply(SolutionStep):
    """One step; value, checks and entry are left out of a token's solution below the level full."""

    quantity: str
    """Its id."""
    title: str
    """The quantity in words."""
    inputs: tuple[str, ...]
    """Ids of the steps that the formula mentions, and the problem's own arrays: X, W1, b1, Y."""
    rule: str
    formula: str
    """The right-hand side; of a Jacobian the matrix of one sample, whose small letters are columns."""
    latex: str
    """The whole equation."""
    mathml: str
    """The same as MathML."""
    shape: tuple[int, ...]
    """The value's shape."""
    shapes: dict[str, tuple[int, ...]]
    """Of the formula's factors; of one sample, for a Jacobian."""
    value: LeftOut[Value] = None
    why: str
    """Why the rule holds."""
    checks: LeftOut[tuple[StepCheckReply, ...]] = None
    entry: LeftOut[WrittenEntryReply] = None


@wire_class
class DerivationStepReply(DerivationStep):
    """One step of a derivation."""

    rule: str
    """The rule of differentiation that is used."""
    text: str
    """What it says here."""
    latex: str
    """What comes out, as an equation."""
    mathml: str
    """The same as MathML."""


@wire_class
class DerivationReply(Derivation):
    """How the gradient by the last pre-activations comes about."""

    quantity: str
    """Its id."""
    steps: tuple[DerivationStepReply, ...]


@wire_class
class SolutionReply(WorkedSolution):
    """A worked solution."""

    conventions: ConventionsBody
    steps: tuple[SolutionStepReply, ...]
    """In the order of the computation, only those needed; Jacobians stand last."""
    derivation: LeftOut[DerivationReply] = None
    """Where it was asked for; with a token below full, where the steps reach its quantity."""
    text: str
    """All of it, as Markdown with LaTeX between dollar signs."""


@wire_class
class ActivationReply:
    """An activation."""

    name: str
    formula: str
    """The value, as an expression in z."""
    derivative: str
    """The derivative, as an expression in z and a."""
    latex: str
    range: str
    """Where the values lie."""


@wire_class
class LossReply:
    """A loss, per sample and summed over outputs."""

    name: str
    formula: str
    """The value, as an expression in a and y."""
    derivative: str
    """The derivative by the outputs, as an expression in a and y."""
    latex: str
    targets: str
    """What targets have to be."""
    output_activation: LeftOut[str] = None
    """The last activation that it needs; absent where any will do."""
    logarithmic: bool
    """Whether log_base applies."""
    mean_over_entries: bool
    """Whether that reduction applies."""


@wire_class
class QuantityReply:
    """A quantity, or a family of them."""

    id: str
    """Its id; {l} is the layer's number."""
    spellings: tuple[str, ...]
    """How it is spelt in a single layer."""
    name: str
    """What it is called in words."""
    formula: str
    latex: str
    shape: str


@wire_class
class ExampleReply:
    """A text as an answer, and what it means."""

    text: str
    numbers: Value
    """Where commas may be decimal ones, or lines rows, for an answer of this shape."""


@wire_class
class FormReply:
    """One way in which people write or programs print arrays, as answers are read."""

    name: str
    title: str
    """What writes like this."""
    examples: tuple[ExampleReply, ...]


@wire_class
class ChoiceReply:
    """One choice of a convention."""

    value: str | float | bool
    meaning: str


@wire_class
class ConventionReply:
    """A convention on which textbooks differ."""

    name: str
    """Its key under `conventions`; a dot parts the group from the name."""
    choices: tuple[ChoiceReply, ...]
    """The first is the default."""


@wire_class
class CatalogueReply:
    """Everything that has a name here."""

    activations: tuple[ActivationReply, ...]
    losses: tuple[LossReply, ...]
    quantities: tuple[QuantityReply, ...]
    mistakes: tuple[MistakeReply, ...]
    symbols: dict[str, str]
    """What the symbols stand for in which mistakes say what they produce."""
    exercise_kinds: tuple[KindReply, ...]
    conventions: tuple[ConventionReply, ...]
    """The choices under `conventions`."""
    forms: tuple[FormReply, ...]
    """The forms of text that answers are read from."""


@wire_class
class HealthReply:
    """How the service is."""

    status: Literal["live", "ready"]


@wire_class
class VersionReply:
    """What is running."""

    name: str
    version: str
    python: str
    numpy: str
    access: Literal["open", "keys"]
    """Whether everybody may do everything, or keys say who may do what."""
