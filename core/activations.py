"""Activations: each entry holds its value, its derivative and its formulas side by side.

Conventions of every entry, with z the pre-activations, of shape (..., n_out):

- ``value(z)`` gives the activations, of the same shape. It also accepts complex z and then branches on
  the real part only, so that a complex step through it gives the derivative.
- ``vjp(z, a, grad)`` gives gradᵀ·J for the Jacobian J = ∂a/∂z of each row, where a = value(z). Leading
  axes broadcast, so a whole stack of rows can be pulled back at once.
- ``formula`` and ``derivative`` are formulas in Z (and A): what the entry means, at any precision. `value` and `vjp`
  are the same in a form that neither overflows nor loses digits.

To add an activation, add one entry here; the API, the catalogue and the tests find it.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import numpy as np

from core.arrays import MIN_ENTRIES_TO_SQUARE, Array, along_last
from core.formulas import Expression, compile_formula, names_in, parse_formula, to_latex
from core.kernels.softmax_jacobians import jacobian_softmax, jacobian_softmax_by_weights
from core.registry import Registry

LEAKY_SLOPE = 0.01

MAX_STEEPNESS = 1.0
"""The largest abs(f″) that an entry may have where it is more than 2·abs(f′), away from kinks.

Rounding bounds leave out ½·f″·e² of an error e: nothing beside a half unit, or beside the abs(f′)·e that they have.
"""

MAX_SLOPE_PER_ACTIVATION = 2.0
"""How fast a slope that is written with the activation may change with it, 1 − a² of tanh being the fastest."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Activation:
    """One activation function.

    Parameters
    ----------
    name : str
        As written in a request.
    formula : Expression
        The value, in Z.
    derivative : Expression
        The derivative, in Z or in A where textbooks write it so: entry by entry, or the matrix of one sample, whose
        outputs are the column s, where outputs are coupled. One that is written in A changes by at most
        `MAX_SLOPE_PER_ACTIVATION` for each unit of it, so that abs(f″) ≤ 2·abs(f′).
    range : str
        Where the values lie; every real z is allowed.
    value : callable
        ``value(z)``, see the module.
    vjp : callable
        ``vjp(z, a, grad)``, see the module.
    steepest : float
        The largest abs(f″): how fast the slope changes with z, which bounds what rounding z does to it. See
        `MAX_STEEPNESS`; 0 where outputs are coupled, whose Jacobian is bounded by itself.
    gradient : Expression or None
        dL/dZ in dL/dA and A, where outputs are coupled; without it, it is dL/dA times the derivative.
    uses_exponential : bool
        Whether the value is worked out by way of an exponential, which hand work writes down and rounds.
    jacobian : callable or None
        ``jacobian(a)``: the whole matrix of each row from its activations, where outputs are coupled; without it
        the matrix is `vjp` of the identity.
    jacobian_by_weights : callable or None
        ``jacobian_by_weights(a, inputs)``: the same by the weights of the layer's affine step, stacked by columns.
    at_zero : callable or None
        ``at_zero(slope)``: the same entry with another slope at exactly z = 0, where the convention `relu_at_zero`
        applies. A complex step through its value then gives that slope as well.
    cost : int
        What the value of one entry takes, in multiply-adds of a matrix product, for budgets.
    gives_distribution : bool
        Whether each row of outputs is a distribution over classes; then they are S, and labels are targets.
    """

    name: str
    formula: Expression
    derivative: Expression
    range: str
    value: Callable[[Array], Array]
    vjp: Callable[[Array, Array, Array], Array]
    steepest: float
    gradient: Expression | None = None
    uses_exponential: bool = False
    jacobian: Callable[[Array], Array] | None = None
    jacobian_by_weights: Callable[[Array, Array], Array] | None = None
    at_zero: Callable[[float], "Activation"] | None = None
    cost: int = 20
    gives_distribution: bool = False

    @property
    def latex(self) -> str:
        """The value as a LaTeX formula."""
        return f"A = {to_latex(self.formula)}"

    @cached_property
    def slope(self) -> Callable[[Array], Array] | None:
        """The derivative as a function of the activations; None where textbooks do not write it so."""
        return compile_formula(self.derivative, ["A"]) if names_in(self.derivative) == ("A",) else None


def sigmoid(z: Array) -> Array:
    """Compute 1 / (1 + exp(-z)) without overflow, keeping every digit in both tails.

    Parameters
    ----------
    z : ndarray, any shape

    Returns
    -------
    ndarray, same shape
    """
    decay = _decay(z)
    return np.where(z.real > 0, 1.0, decay) / (1.0 + decay)


def softplus(z: Array) -> Array:
    """Compute ln(1 + exp(z)) without overflow.

    Parameters
    ----------
    z : ndarray, any shape

    Returns
    -------
    ndarray, same shape
    """
    return _relu(z) + np.log1p(_decay(z))


def _decay(z: Array) -> Array:
    # exp(-|z|) never overflows; |z| is written as a branch because a complex step does not survive abs
    return np.exp(np.where(z.real > 0, -z, z))


def _sigmoid_vjp(z: Array, a: Array, grad: Array) -> Array:
    # a·(1 - a) = t/(1 + t)² with t = exp(-|z|); the difference 1 - a would lose its digits near 1
    decay = _decay(z)
    return grad * (decay / (1.0 + decay) ** 2)


def _tanh_vjp(z: Array, a: Array, grad: Array) -> Array:
    # 1 - a² = 4t/(1 + t)² with t = exp(-2|z|), for the same reason
    decay = _decay(2.0 * z)
    return grad * (4.0 * decay / (1.0 + decay) ** 2)


def _relu(z: Array) -> Array:
    if np.iscomplexobj(z):
        return np.where(z.real > 0, z, 0.0)
    # where() mispredicts half its branches, and a row of zeros takes half the time of a scalar for many rows
    return np.maximum(z, np.zeros(z.shape[-1:], z.dtype) if z.size >= MIN_ENTRIES_TO_SQUARE else 0.0)


def _relu_vjp(z: Array, a: Array, grad: Array) -> Array:
    # subgradient 0 at z = 0, as torch and JAX have it; times true or false, then -0 to 0, is faster than where()
    kept = np.asarray(grad * (z > 0))
    return np.add(kept, 0.0, out=kept)


RELU_DERIVATIVES = {
    0.0: parse_formula("Z > 0"),
    1.0: parse_formula("Z ≥ 0"),
    0.5: parse_formula("((Z > 0) + (Z ≥ 0))/2"),
}
"""The derivative of relu by its slope at 0."""


@lru_cache(maxsize=8)
def _relu_at_zero(slope: float) -> Activation:
    def value(z: Array) -> Array:
        return np.where(z.real == 0, slope * z, _relu(z)) if np.iscomplexobj(z) else _relu(z)

    def vjp(z: Array, a: Array, grad: Array) -> Array:
        pulled, at_zero = _relu_vjp(z, a, grad), z == 0
        return np.where(at_zero, slope * grad + 0.0, pulled) if at_zero.any() else pulled

    return replace(ACTIVATIONS["relu"], value=value, vjp=vjp, derivative=RELU_DERIVATIVES[slope])


def _leaky_relu(z: Array) -> Array:
    return np.where(z.real > 0, z, LEAKY_SLOPE * z)


def _normal_density(x: Array) -> Array:
    return np.exp(-0.5 * x * x) / math.sqrt(2.0 * math.pi)


_ERFC = np.frompyfunc(math.erfc, 1, 1)


def _normal_cdf(z: Array) -> Array:
    if np.iscomplexobj(z):
        # Φ(x + iy) = Φ(x) + i·y·φ(x) up to y², which is below the last digit for the y of a complex step
        return _normal_cdf(z.real) + 1j * z.imag * _normal_density(z.real)
    # erfc keeps its digits in the left tail, where 1 + erf cancels
    return np.asarray(0.5 * _ERFC(z * -math.sqrt(0.5)), dtype=z.dtype)


def _gelu_vjp(z: Array, a: Array, grad: Array) -> Array:
    return grad * (_normal_cdf(z) + z * _normal_density(z))


def _softmax(z: Array) -> Array:
    # shifting a row changes nothing, and with its largest entry at 0 nothing overflows; the shift is that
    # entry itself, imaginary part and all, or a complex step through a sure prediction would cancel
    top = z.real.argmax(axis=-1, keepdims=True)
    exponentials = np.exp(z - z[along_last(z, top)])
    return np.asarray(exponentials / exponentials.sum(axis=-1, keepdims=True))


def _softmax_vjp(z: Array, a: Array, grad: Array) -> Array:
    # J = diag(a) - a·aᵀ is symmetric and maps constants to 0: Jᵀg = a·(g - ⟨a, g⟩) for any shift of g.
    # Measured from its value at the largest probability, g loses no digits when that one is nearly 1.
    centred = grad - grad[along_last(grad, a.argmax(axis=-1, keepdims=True))]
    return np.asarray(a * (centred - (a * centred).sum(axis=-1, keepdims=True)))


ACTIVATIONS: Registry[Activation] = Registry(
    "activation",
    Activation(
        name="identity",
        formula=parse_formula("Z"),
        derivative=parse_formula("1"),
        range="all real numbers",
        value=lambda z: z,
        vjp=lambda z, a, grad: grad,
        steepest=0.0,
    ),
    Activation(
        name="sigmoid",
        formula=parse_formula("1/(1 + e^(−Z))"),
        derivative=parse_formula("A∘(1 − A)"),
        range="0 to 1",
        value=sigmoid,
        vjp=_sigmoid_vjp,
        steepest=0.097,
        uses_exponential=True,
    ),
    Activation(
        name="tanh",
        formula=parse_formula("tanh(Z)"),
        derivative=parse_formula("1 − A²"),
        range="-1 to 1",
        value=np.tanh,
        vjp=_tanh_vjp,
        steepest=0.77,
        uses_exponential=True,
    ),
    Activation(
        name="relu",
        formula=parse_formula("max(Z, 0)"),
        derivative=RELU_DERIVATIVES[0.0],
        range="0 and above",
        value=_relu,
        vjp=_relu_vjp,
        steepest=0.0,
        at_zero=_relu_at_zero,
    ),
    Activation(
        name="leaky_relu",
        formula=parse_formula("max(Z, 0.01·Z)"),
        derivative=parse_formula("0.01 + 0.99·(Z > 0)"),
        range="all real numbers",
        value=_leaky_relu,
        vjp=lambda z, a, grad: np.where(z > 0, grad, LEAKY_SLOPE * grad),
        steepest=0.0,
    ),
    Activation(
        name="softplus",
        formula=parse_formula("ln(1 + e^Z)"),
        derivative=parse_formula("1/(1 + e^(−Z))"),
        range="0 and above",
        value=softplus,
        vjp=lambda z, a, grad: grad * sigmoid(z),
        steepest=0.25,
        uses_exponential=True,
    ),
    Activation(
        name="gelu",
        formula=parse_formula("Z∘(1 + erf(Z/sqrt(2)))/2"),
        derivative=parse_formula("(1 + erf(Z/sqrt(2)))/2 + Z∘e^(−Z²/2)/sqrt(2·π)"),
        range="-0.17 and above",
        value=lambda z: z * _normal_cdf(z),
        vjp=_gelu_vjp,
        steepest=0.8,
        cost=300,  # erfc is called entry by entry
    ),
    Activation(
        name="softmax",
        formula=parse_formula("e^Z/sum_outputs(e^Z)"),
        derivative=parse_formula("diag(s) − s·sᵀ"),
        gradient=parse_formula("A∘(dL/dA − sum_outputs(A∘dL/dA))"),
        range="0 to 1, each row sums to 1",
        value=_softmax,
        vjp=_softmax_vjp,
        steepest=0.0,
        uses_exponential=True,
        jacobian=jacobian_softmax,
        jacobian_by_weights=jacobian_softmax_by_weights,
        gives_distribution=True,
    ),
)
