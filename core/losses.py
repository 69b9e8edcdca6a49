"""Losses: each entry holds its value, its derivatives, its domain and its formulas side by side.

Conventions of every entry, with z, a, y of shape (n_samples, n_out), everything in nats and per sample;
the mean over samples and the logarithm's base are conventions of the problem, applied outside:

- ``formula`` and ``derivative`` are formulas in A and Y: what the entry means, at any precision.
- ``value(a, y)`` gives one loss per sample, summed over outputs, as the formula says. It accepts complex a.
- ``grad_outputs(z, a, y)`` gives ∂loss/∂a.
- ``logits``, where the loss belongs to one activation, holds the same loss as a function of z, in one
  exact step: no logarithm is clipped, no probability rounds to 0 or 1 first.

References
----------
.. [1] Bishop, Pattern Recognition and Machine Learning, 2006, eq. 4.108 and 4.109 (softmax and
   cross-entropy), 4.90 and 4.91 (sigmoid and binary cross-entropy).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np

from core.activations import sigmoid, softplus
from core.arrays import Array, along_last
from core.errors import DomainError, Path
from core.formulas import BoundRun, Expression, compile_bound, compile_formula, parse_formula, to_latex
from core.kernels.softmax_jacobians import sums_of_others
from core.registry import Registry

SUM_TOLERANCE = 1e-9
FLOAT32_SUM_TOLERANCE = 1e-6
"""How far from 1 a distribution's sum may lie, and where every entry is a float32 number, which has seven digits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Logits:
    """A loss as a function of the pre-activations of the activation that it belongs to.

    Parameters
    ----------
    value : callable
        ``value(z, y)`` gives the loss; it accepts complex z.
    grad : callable
        ``grad(z, a, y)`` gives ∂loss/∂z to the last digit, for a = activation(z).
    """

    value: Callable[[Array, Array], Array]
    grad: Callable[[Array, Array, Array], Array]


@dataclass(frozen=True, kw_only=True, eq=False)
class Loss:
    """One loss function.

    Parameters
    ----------
    name : str
        As written in a request.
    formula : Expression
        The loss of each sample, in A and Y.
    derivative : Expression
        Its derivative by the outputs, in A and Y.
    targets : str
        What targets have to be.
    output_activation : str or None
        The last activation it needs; None for any.
    logarithmic : bool
        Whether ``log_base`` applies.
    mean_over_entries : bool
        Whether that reduction applies: frameworks average such losses over samples and outputs.
    grad_outputs : callable
        See the module.
    logits : Logits or None
        See the module; None where the chain goes through the outputs.
    require_targets : callable
        ``require_targets(targets, path)`` raises a `DomainError` for targets outside the domain.
    """

    name: str
    formula: Expression
    derivative: Expression
    targets: str
    output_activation: str | None = None
    logarithmic: bool = False
    mean_over_entries: bool = False
    grad_outputs: Callable[[Array, Array, Array], Array]
    logits: Logits | None = None
    require_targets: Callable[[Array, Path], None]

    @property
    def latex(self) -> str:
        """The loss of each sample as a LaTeX formula."""
        return to_latex(self.formula)

    @cached_property
    def derivative_bound(self) -> BoundRun:
        """How far errors of A and Y move the derivative; see `compile_bound`."""
        return compile_bound(self.derivative, ["A", "Y"])

    @cached_property
    def value(self) -> Callable[[Array, Array], Array]:
        """The loss of each sample, as the formula says; see the module."""
        compute = compile_formula(self.formula, ["A", "Y"])
        return lambda a, y: compute(a, y)[..., 0]


def log_softmax(z: Array) -> Array:
    """Compute the logarithms of a softmax's outputs, each with all its digits.

    Parameters
    ----------
    z : ndarray, shape (..., n_classes)

    Returns
    -------
    ndarray, same shape
    """
    # ln Σ e^z = max + ln(1 + the others), with the largest term's 1 left to log1p: a sure prediction's
    # loss keeps its digits instead of rounding to 0
    top = z.real.argmax(axis=-1, keepdims=True)
    shifted = z - z[along_last(z, top)]
    others = np.exp(shifted)
    others[along_last(others, top)] = 0.0
    return np.asarray(shifted - np.log1p(others.sum(axis=-1, keepdims=True)))


def _weighted_sum(y: Array, logs: Array) -> Array:
    # a class without target weight adds nothing, even where its logarithm does not fit float64
    weighted = np.multiply(y, logs, out=np.zeros(logs.shape, logs.dtype), where=y != 0)
    return np.asarray(0.0 - weighted.sum(axis=-1))


def _quotient(y: Array, a: Array, log_a: Callable[[], Array]) -> Array:
    # y/a, and 0 where y is 0 whatever the probability; one below the normal numbers has few digits left,
    # and then its logarithm has all
    faint = (a < _smallest_normal(a.dtype)) & (y != 0)
    if not faint.any():
        return np.divide(y, a, out=np.zeros_like(a), where=y != 0)
    plain = np.divide(y, a, out=np.zeros_like(a), where=(y != 0) & ~faint)
    logs = np.log(y, out=np.zeros_like(a), where=faint) - log_a()
    return np.exp(logs, out=plain, where=faint)


@cache
def _smallest_normal(dtype: np.dtype[np.float64]) -> float:
    return float(np.finfo(dtype).smallest_normal)


def _cross_entropy_grad_outputs(z: Array, a: Array, y: Array) -> Array:
    return np.asarray(0.0 - _quotient(y, a, lambda: log_softmax(z)))


def _cross_entropy_grad_logits(z: Array, a: Array, y: Array) -> Array:
    # Σy·a - y = a·(Σy - y) - y·(1 - a), where nothing cancels when the prediction is sure and right
    return np.asarray(a * sums_of_others(y) - y * sums_of_others(a))


def _binary_cross_entropy(z: Array, y: Array) -> Array:
    # -ln a = softplus(-z) and -ln(1 - a) = softplus(z)
    return np.asarray((y * softplus(-z) + (1.0 - y) * softplus(z)).sum(axis=-1))


def _binary_cross_entropy_grad_outputs(z: Array, a: Array, y: Array) -> Array:
    # ln a = -softplus(-z) and ln(1 - a) = -softplus(z)
    return np.asarray(_quotient(1.0 - y, sigmoid(-z), lambda: -softplus(z)) - _quotient(y, a, lambda: -softplus(-z)))


def _binary_cross_entropy_grad_logits(z: Array, a: Array, y: Array) -> Array:
    # a - y = (1 - y)·a - y·(1 - a), with 1 - a taken as the sigmoid of -z
    return np.asarray((1.0 - y) * a - y * sigmoid(-z))


def _require_distribution(targets: Array, path: Path) -> None:
    with np.errstate(over="ignore"):
        are_float32 = (targets.astype(np.float32) == targets).all(axis=-1)
    sums, tolerances = targets.sum(axis=-1), np.where(are_float32, FLOAT32_SUM_TOLERANCE, SUM_TOLERANCE)
    negative = np.asarray((targets < 0).any(axis=-1))
    wrong = np.asarray(negative | (np.abs(sums - 1.0) > tolerances))
    if wrong.any():
        row = int(wrong.argmax())
        found = "it has a negative entry" if negative[row] else f"its sum is {sums[row]:.12g}"
        raise DomainError(
            f"targets row {row} is not a distribution: {found}; needed entries of at least 0 with sum 1 "
            f"(within {tolerances[row]:g}), because cross_entropy compares probabilities",
            path=(*path, row),
        )


def _require_unit_interval(targets: Array, path: Path) -> None:
    wrong = (targets < 0) | (targets > 1)
    if wrong.any():
        row, column = (int(i) for i in np.argwhere(wrong)[0])
        raise DomainError(
            f"targets row {row}, column {column} is {targets[row, column]:.12g}; needed 0 to 1, because "
            "binary_cross_entropy takes each target as the probability of a yes",
            path=(*path, row, column),
        )


def _any_targets(targets: Array, path: Path) -> None:
    """Accept all finite numbers."""


LOSSES: Registry[Loss] = Registry(
    "loss",
    Loss(
        name="cross_entropy",
        formula=parse_formula("−sum_outputs(Y∘ln(A))"),
        derivative=parse_formula("−Y/A"),
        targets="class indices from 0, or a distribution per sample",
        output_activation="softmax",
        logarithmic=True,
        grad_outputs=_cross_entropy_grad_outputs,
        logits=Logits(
            value=lambda z, y: _weighted_sum(y, log_softmax(z)),
            grad=_cross_entropy_grad_logits,
        ),
        require_targets=_require_distribution,
    ),
    Loss(
        name="binary_cross_entropy",
        formula=parse_formula("−sum_outputs(Y∘ln(A) + (1 − Y)∘ln(1 − A))"),
        derivative=parse_formula("(1 − Y)/(1 − A) − Y/A"),
        targets="numbers from 0 to 1 per sample and output",
        output_activation="sigmoid",
        logarithmic=True,
        grad_outputs=_binary_cross_entropy_grad_outputs,
        logits=Logits(
            value=_binary_cross_entropy,
            grad=_binary_cross_entropy_grad_logits,
        ),
        require_targets=_require_unit_interval,
    ),
    Loss(
        name="squared_error",
        formula=parse_formula("sum_outputs((A − Y)²)"),
        derivative=parse_formula("2·(A − Y)"),
        targets="any finite numbers per sample and output; class indices where the outputs are softmax",
        mean_over_entries=True,
        # textbooks differ by a factor 2: this is the one without ½; half_squared_error has it
        grad_outputs=lambda z, a, y: 2.0 * (a - y),
        require_targets=_any_targets,
    ),
    Loss(
        name="half_squared_error",
        formula=parse_formula("sum_outputs((A − Y)²)/2"),
        derivative=parse_formula("A − Y"),
        targets="any finite numbers per sample and output; class indices where the outputs are softmax",
        mean_over_entries=True,
        grad_outputs=lambda z, a, y: a - y,
        require_targets=_any_targets,
    ),
)
