"""The operations of which formulas are made: one entry holds all that is known of an operation.

Every value has two axes, samples and features, after any leading axes; what has one of them only keeps an axis of
length 1 in place of the other. So one formula serves one sample, a batch, and a stack of many cases.

Errors are bounds of how far an operand may lie off, followed to first order and in the worst case, in which all add
up: |∂f| · e for each operand. An exact operand has None for an error, and what is made of exact ones alone as well.

References
----------
.. [1] Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed. 2002, section 3.1.
"""

import math
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, TypeAlias

import numpy as np

from core.arrays import Array
from core.registry import Registry

At: TypeAlias = Callable[[int], Array]
Errors: TypeAlias = Sequence[Any]
"""One for each operand: an array, or None of what is exact."""
ErrorBound: TypeAlias = Callable[[At, Errors], Array]


class Precedence(IntEnum):
    """How tightly an operation binds its operands."""

    COMPARISON = 0
    SUM = 1
    PRODUCT = 2
    POWER = 3
    POSTFIX = 4
    ATOM = 5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Operation:
    """One operation.

    Parameters
    ----------
    name : str
        As it is called in an expression, and written before parentheses where it has no sign.
    value : callable
        ``value(*operands)``.
    error : callable
        ``error(at, errors)`` bounds the result's error from those of its operands, of which one at least is not exact;
        ``at(0)``, ``at(1)`` give the operands' values and ``at(-1)`` the result's.
    sign : str
        What stands between, before or after its operands; empty for what is written as a call.
    spellings : tuple of str
        Other signs or names that mean the same.
    precedence : Precedence
    n_operands : int
    latex : str
        A template with ``{0}``, ``{1}`` for the operands.
    groups : bool
        Whether the LaTeX shows by itself where an operand ends, so that it needs no parentheses.
    is_entrywise : bool
        Whether each entry of the result comes from the entries at its place.
    adds : bool
        Whether it adds up. Whoever works by hand writes down each number before adding it.
    axes : tuple of int
        The axes along which it leaves one entry: it adds, or picks one.
    """

    name: str
    value: Callable[..., Array]
    error: ErrorBound
    sign: str = ""
    spellings: tuple[str, ...] = ()
    precedence: Precedence = Precedence.ATOM
    n_operands: int = 1
    latex: str = ""
    groups: bool = False
    is_entrywise: bool = False
    adds: bool = False
    axes: tuple[int, ...] = ()


def _multiply(a: Array, b: Array) -> Array:
    product = np.asarray(a * b)
    if np.count_nonzero(np.isnan(product)):
        # a term that counts nothing counts nothing, whatever the other factor: 0 · ln 0 in an entropy is 0
        product = np.where((a == 0) | (b == 0), product.dtype.type(0.0), product)
    return product


def _add_bounds(first: Any, second: Any) -> Any:
    return first if second is None else second if first is None else first + second


def _weighted(error: Any, weight: Callable[[], Array]) -> Any:
    return None if error is None else _multiply(np.abs(weight()), error)


def _bound_sum(at: At, errors: Errors) -> Array:
    return np.asarray(_add_bounds(*errors))


def _bound_multiple(at: At, errors: Errors) -> Array:
    left, right = errors
    return np.asarray(_add_bounds(_weighted(left, lambda: at(1)), _weighted(right, lambda: at(0))))


def _bound_quotient(at: At, errors: Errors) -> Array:
    left, right = errors
    return np.asarray(_add_bounds(left, _weighted(right, lambda: at(-1))) / np.abs(at(1)))


def _bound_power(at: At, errors: Errors) -> Array:
    base, exponent = at(0), at(1)
    by_base = _weighted(errors[0], lambda: exponent * base ** (exponent - 1.0))
    return np.asarray(_add_bounds(by_base, _weighted(errors[1], lambda: at(-1) * np.log(base))))


def _bilinear(multiply: Callable[[Array, Array], Array]) -> ErrorBound:
    """Return the bound of a product of two matrices."""

    def bound(at: At, errors: Errors) -> Array:
        left, right = errors
        by_left = None if left is None else multiply(_spread(left, at(0)), np.abs(at(1)))
        by_right = None if right is None else multiply(np.abs(at(0)), _spread(right, at(1)))
        return np.asarray(_add_bounds(by_left, by_right))

    return bound


def _spread(error: Array, value: Array) -> Array:
    return (
        error if error.shape == value.shape else np.broadcast_to(error, np.broadcast_shapes(error.shape, value.shape))
    )


def _do_same(rearrange: Callable[[Array], Array]) -> ErrorBound:
    """Return the bound of what picks, reorders or adds up entries: the same of their errors."""
    return lambda at, errors: rearrange(_spread(errors[0], at(0)))


def _shift(move: Callable[..., Array]) -> ErrorBound:
    """Return the bound of what grows with every operand: how far it moves when all of them move one way."""

    def bound(at: At, errors: Errors) -> Array:
        operands = [(at(place), 0.0 if error is None else error) for place, error in enumerate(errors)]
        above, below = (move(*(value + sign * error for value, error in operands)) for sign in (1.0, -1.0))
        return np.maximum(above - at(-1), at(-1) - below)

    return bound


def _bound_place(at: At, errors: Errors) -> Array:
    # a place does not move by less than what makes it another one
    return np.zeros(())


def _function(
    name: str, value: Callable[[Array], Array], slope: Callable[[Array, Array], Any], latex: str, *spellings: str
) -> Operation:
    """Return a function of each entry from its slope, ``slope(operand, value)``."""

    def bound(at: At, errors: Errors) -> Array:
        return _multiply(np.abs(slope(at(0), at(-1))), errors[0])

    return Operation(
        name=name, value=value, error=bound, latex=latex, spellings=spellings, groups=True, is_entrywise=True
    )


def _adding(name: str, latex: str, *axes: int, average: bool = False) -> Operation:
    reduce = np.mean if average else np.add.reduce

    def collect(a: Array) -> Array:
        return np.asarray(reduce(a, axis=axes, keepdims=True))

    return Operation(name=name, value=collect, error=_do_same(collect), latex=latex, adds=True, axes=axes)


def _largest(name: str, latex: str, *axes: int) -> Operation:
    def collect(a: Array) -> Array:
        return np.asarray(np.maximum.reduce(a, axis=axes, keepdims=True))

    return Operation(name=name, value=collect, error=_shift(collect), latex=latex, axes=axes)


def _picking(name: str, latex: str, rows: slice) -> Operation:
    def pick(a: Array) -> Array:
        return a[..., rows, :]

    return Operation(name=name, value=pick, error=_do_same(pick), latex=latex, groups=True, axes=(-2,))


def _mark_largest(a: Array) -> Array:
    rows = np.zeros_like(a)
    np.put_along_axis(rows, a.argmax(axis=-1, keepdims=True), 1.0, axis=-1)
    return rows


def _to_diagonal(column: Array) -> Array:
    return np.asarray(column * np.eye(column.shape[-2], dtype=column.dtype))


def _kron(a: Array, b: Array) -> Array:
    blocks = a[..., :, None, :, None] * b[..., None, :, None, :]
    return np.asarray(blocks.reshape(*blocks.shape[:-4], a.shape[-2] * b.shape[-2], a.shape[-1] * b.shape[-1]))


_ERF = np.frompyfunc(math.erf, 1, 1)


def _compare(test: Callable[[Array, Array], Array]) -> Callable[[Array, Array], Array]:
    return lambda a, b: test(a, b).astype(np.result_type(a, b))


OPERATIONS: Registry[Operation] = Registry(
    "operation",
    Operation(
        name="greater",
        sign=">",
        precedence=Precedence.COMPARISON,
        n_operands=2,
        value=_compare(np.greater),
        error=_bound_place,
        latex="[{0} > {1}]",
        groups=True,
        is_entrywise=True,
    ),
    Operation(
        name="at_least",
        sign="≥",
        spellings=(">=",),
        precedence=Precedence.COMPARISON,
        n_operands=2,
        value=_compare(np.greater_equal),
        error=_bound_place,
        latex=r"[{0} \ge {1}]",
        groups=True,
        is_entrywise=True,
    ),
    Operation(
        name="add",
        sign="+",
        precedence=Precedence.SUM,
        n_operands=2,
        value=operator.add,
        error=_bound_sum,
        latex="{0} + {1}",
        is_entrywise=True,
        adds=True,
    ),
    Operation(
        name="subtract",
        sign="−",
        spellings=("-",),
        precedence=Precedence.SUM,
        n_operands=2,
        value=operator.sub,
        error=_bound_sum,
        latex="{0} - {1}",
        is_entrywise=True,
    ),
    Operation(
        name="negate",
        sign="−",
        precedence=Precedence.SUM,
        value=operator.neg,
        error=lambda at, errors: errors[0],
        latex="-{0}",
        is_entrywise=True,
    ),
    Operation(
        name="product",
        sign="·",
        spellings=("@",),
        precedence=Precedence.PRODUCT,
        n_operands=2,
        value=operator.matmul,
        error=_bilinear(np.matmul),
        latex="{0} {1}",
    ),
    Operation(
        name="scale",
        sign="·",
        precedence=Precedence.PRODUCT,
        n_operands=2,
        value=_multiply,
        error=_bound_multiple,
        latex=r"{0} \cdot {1}",
        is_entrywise=True,
    ),
    Operation(
        name="multiply",
        sign="∘",
        spellings=("*", "⊙"),
        precedence=Precedence.PRODUCT,
        n_operands=2,
        value=_multiply,
        error=_bound_multiple,
        latex=r"{0} \odot {1}",
        is_entrywise=True,
    ),
    Operation(
        name="divide",
        sign="/",
        precedence=Precedence.PRODUCT,
        n_operands=2,
        value=operator.truediv,
        error=_bound_quotient,
        latex=r"\frac{{{0}}}{{{1}}}",
        groups=True,
        is_entrywise=True,
    ),
    Operation(
        name="kron",
        sign="⊗",
        precedence=Precedence.PRODUCT,
        n_operands=2,
        value=_kron,
        error=_bilinear(_kron),
        latex=r"{0} \otimes {1}",
    ),
    Operation(
        name="power",
        sign="^",
        spellings=("**",),
        precedence=Precedence.POWER,
        n_operands=2,
        value=operator.pow,
        error=_bound_power,
        latex="{0}^{{{1}}}",
        is_entrywise=True,
    ),
    Operation(
        name="transpose",
        sign="ᵀ",
        spellings=(".T", ".mT"),
        precedence=Precedence.POSTFIX,
        value=lambda a: np.asarray(a.mT),
        error=_do_same(lambda a: a.mT),
        latex=r"{0}^{{\mathsf T}}",
    ),
    Operation(
        name="diag",
        value=_to_diagonal,
        error=_do_same(_to_diagonal),
        latex=r"\operatorname{{diag}}\left({0}\right)",
        groups=True,
    ),
    _function("abs", np.abs, lambda a, value: 1.0, r"\left|{0}\right|"),
    _function("exp", np.exp, lambda a, value: value, r"e^{{{0}}}"),
    _function("ln", np.log, lambda a, value: 1.0 / a, r"\ln\left({0}\right)", "log"),
    _function("tanh", np.tanh, lambda a, value: 1.0 - value**2, r"\tanh\left({0}\right)"),
    _function(
        "erf",
        lambda a: np.asarray(_ERF(a), dtype=a.dtype),
        lambda a, value: 2.0 / math.sqrt(math.pi) * np.exp(-a * a),
        r"\operatorname{{erf}}\left({0}\right)",
    ),
    _function("sqrt", np.sqrt, lambda a, value: 0.5 / value, r"\sqrt{{{0}}}"),
    Operation(
        name="max",
        n_operands=2,
        value=np.maximum,
        error=_shift(np.maximum),
        latex=r"\max\left({0}, {1}\right)",
        groups=True,
        is_entrywise=True,
        spellings=("maximum",),
    ),
    _adding("sum_samples", r"\sum_{{\text{{samples}}}} {0}", -2),
    _adding("sum_outputs", r"\sum_{{\text{{outputs}}}} {0}", -1),
    _adding("sum", r"\sum {0}", -2, -1),
    _adding("mean_samples", r"\operatorname{{mean}}_{{\text{{samples}}}} {0}", -2, average=True),
    _adding("mean_outputs", r"\operatorname{{mean}}_{{\text{{outputs}}}} {0}", -1, average=True),
    _adding("mean", r"\operatorname{{mean}} {0}", -2, -1, average=True),
    _largest("max_samples", r"\max_{{\text{{samples}}}} {0}", -2),
    _largest("max_outputs", r"\max_{{\text{{outputs}}}} {0}", -1),
    _picking("first", r"\operatorname{{first}}\left({0}\right)", slice(None, 1)),
    _picking("last", r"\operatorname{{last}}\left({0}\right)", slice(-1, None)),
    _function("ones", np.ones_like, lambda a, value: 0.0, r"\operatorname{{ones}}\left({0}\right)"),
    Operation(
        name="onehot",
        value=_mark_largest,
        error=_bound_place,
        latex=r"\operatorname{{onehot}}\left({0}\right)",
        groups=True,
    ),
)

SPELLINGS: dict[str, str] = {}
"""Names of operations by their signs, or by the words that are written before parentheses."""

for _entry in OPERATIONS.values():
    for _spelling in (_entry.sign or _entry.name, *_entry.spellings):
        # a sign that two operations share is read as the first, and its operands tell which it is
        SPELLINGS.setdefault(_spelling, _entry.name)
