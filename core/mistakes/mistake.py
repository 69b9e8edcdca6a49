"""What a mistake is: other rules in the table of steps, or something done to the finished answer."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core.arrays import Array
from core.formulas import ONE, ZERO, Expression, Name, simplify, substitute, to_text
from core.nodes import n_components, shape_of
from core.problem import Layer, Network, Problem
from core.quantities import Quantity, to_quantity
from core.steps import Change, Rule, formula_symbol

Variant = tuple[Change, ...]

Message = str | Callable[[Problem, Quantity], str]

Indices = npt.NDArray[np.int32]
Signs = npt.NDArray[np.int8]

EXAMPLE_PROBLEM = Problem(
    network=Network(
        layers=(
            Layer(weights=np.ones((2, 4)), bias=np.ones(4), activation="tanh"),
            Layer(weights=np.ones((4, 3)), bias=np.ones(3), activation="softmax"),
        )
    ),
    inputs=np.ones((5, 2)),
    targets=np.zeros(5, dtype=np.int64),
    loss="cross_entropy",
)
"""What transforms are tried on, and what the catalogue's messages are about: all its dimensions are different."""

EXAMPLE_KEYS = ("L", "Z1", "A2", "dL_dX", "dL_dW1", "dL_db1", "dL_dZ2", "dL_dA2", "dA2_dZ2", "dZ1_dW1", "dA2_dW1")


def _always(problem: Problem) -> bool:
    return True


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Transform:
    """Something done to a finished quantity.

    Parameters
    ----------
    apply : callable
        ``apply(problem, quantity, value, number)`` gives what is handed in, in whatever shape; None where
        it cannot be done to this quantity. Without `accepts`, `factor` and `is_other` it may only pick, reorder
        and negate entries, or put 0 in their place, whatever their values: the search does that to many values
        at once. For a constant factor there is `multiply`.
    accepts : callable or None
        ``accepts(number)``, for a transform with a number of its own, in which it is linear: which numbers
        it can be. Without, the number is 1.
    examples : tuple of float
        Such numbers as are met.
    exact : callable
        ``exact(numbers)``: the numbers that are meant by those that were fitted to rounded entries.
    factor : callable or None
        ``factor(problem, quantity)``, for a transform that multiplies by a number that has a meaning in the
        problem: that number, or None where the transform cannot be done.
    is_other : bool
        Whether it gives other numbers than the quantity's own: those are looked for alone, not on top of
        another mistake.
    """

    apply: Callable[[Problem, Quantity, Array, float], Array | None]
    accepts: Callable[[float], bool] | None = None
    examples: tuple[float, ...] = (1.0,)
    exact: Callable[[Array], Array] = lambda numbers: numbers
    factor: Callable[[Problem, Quantity], float | None] | None = None
    is_other: bool = False

    @property
    def is_choice(self) -> bool:
        """Whether it only picks, reorders and negates entries."""
        return self.accepts is None and self.factor is None and not self.is_other

    def choose(
        self, problem: Problem, quantity: Quantity, shape: tuple[int, ...]
    ) -> tuple[tuple[int, ...], Indices, Signs] | None:
        """Write a transform without a number of its own as a choice of entries and their signs.

        Parameters
        ----------
        problem : Problem
        quantity : Quantity
        shape : tuple of int
            The quantity's.

        Returns
        -------
        tuple or None
            The shape of the result, the flat index of each entry, and its sign (0 for an entry that is 0);
            None where the transform cannot be done to this quantity.
        """
        numbered = np.arange(1.0, math.prod(shape) + 1.0).reshape(shape)
        result = self.apply(problem, quantity, numbered, 1.0)
        if result is None:
            return None
        flat = result.ravel()
        return result.shape, np.maximum(np.abs(flat).astype(np.int32) - 1, 0), np.sign(flat).astype(np.int8)


def multiply(factor: Callable[[Problem, Quantity], float | None]) -> Transform:
    """Return the transform that multiplies a quantity by ``factor(problem, quantity)``, where that is not None.

    Parameters
    ----------
    factor : callable

    Returns
    -------
    Transform
    """

    def apply(problem: Problem, quantity: Quantity, value: Array, number: float) -> Array | None:
        times = factor(problem, quantity)
        return None if times is None else np.asarray(times * value)

    return Transform(apply=apply, factor=factor)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Mistake:
    """One thing that goes wrong.

    Parameters
    ----------
    name : str
        Its id.
    family : str
        What it is about, in a word or two.
    formula : str
        What comes out instead of the right answer, in `SYMBOLS`: ``"N·t"`` for whatever is asked for, or
        ``"dL/dZ = S/N"`` for one quantity; several are joined by " or ". Not for edits of rules: theirs is read from
        the first change of each variant.
    message : str or callable
        Feedback for the student: what is wrong and what to look at, without a number of the solution; or
        ``message(problem, quantity)``, where it depends on them. It begins so that it can follow "In dL/dZ, ".
    variants : tuple of tuples of Change
        The ways in which it happens, each as changes of rules.
    transforms : tuple of Transform
        The ways in which it happens to a finished answer.
    applies : callable
        ``applies(problem)``: whether the mistake can be made there.

    Raises
    ------
    ValueError
        If a transform that is to be a choice does more than pick, reorder and negate entries.
    """

    name: str
    family: str
    message: Message
    formula: str = ""
    variants: tuple[Variant, ...] = ()
    transforms: tuple[Transform, ...] = ()
    applies: Callable[[Problem], bool] = _always

    def __post_init__(self) -> None:
        plain = [transform for transform in self.transforms if transform.is_choice]
        for key in EXAMPLE_KEYS:
            if not all(_is_choice(transform, to_quantity(key)) for transform in plain):
                raise ValueError(
                    f"a transform of {self.name} makes other numbers of {key}; without accepts it may only pick, "
                    "reorder and negate entries, because the search does that to many values at once. A constant "
                    "factor is written with multiply"
                )

    @property
    def produces(self) -> str:
        """What comes out instead of the right answer, in `SYMBOLS`."""
        edited = (way[0].edited for way in self.variants if not self.formula)
        return self.formula or " or ".join(dict.fromkeys(_write(rule) for rule in edited if rule))

    def say(self, problem: Problem, quantity: Quantity) -> str:
        """Return the feedback on a quantity of a problem.

        Parameters
        ----------
        problem : Problem
        quantity : Quantity
            The one that was handed in.

        Returns
        -------
        str
        """
        return self.message if isinstance(self.message, str) else self.message(problem, quantity)


def _write(rule: Rule) -> str:
    """Write an edited rule: S for the last activations, X for what a layer takes, without what most problems lack."""
    outputs: dict[Expression, Expression] = {
        Name(symbol): Name("S") for symbol, template in rule.inputs.items() if template == "A{n}"
    }
    formula = substitute(rule.formula or ZERO, outputs)
    usual = simplify(substitute(formula, {Name("ln_B"): ONE, Name("c"): ZERO}))
    output = formula_symbol(rule.output.replace("A{n}", "S"))
    return f"{output} = {to_text(formula if usual == ZERO else usual)}"


def _is_choice(transform: Transform, quantity: Quantity) -> bool:
    shape = _example_shape(quantity)
    chosen = transform.choose(EXAMPLE_PROBLEM, quantity, shape)
    if chosen is None:
        return True
    # other numbers than those that the choice was read off, of another order and sign
    values = -np.sqrt(np.arange(1.0, math.prod(shape) + 1.0))
    result = transform.apply(EXAMPLE_PROBLEM, quantity, values.reshape(shape), 1.0)
    found, index, signs = chosen
    picked = np.take(values, index, mode="clip") * signs
    return result is not None and bool(np.array_equal(result, picked.reshape(found)))


def _example_shape(quantity: Quantity) -> tuple[int, ...]:
    if quantity.is_jacobian:
        return (
            EXAMPLE_PROBLEM.n_samples,
            *(n_components(node, EXAMPLE_PROBLEM) for node in (quantity.of, str(quantity.by))),
        )
    return shape_of(quantity.node, EXAMPLE_PROBLEM)
