"""What a rule of the table is: a formula, an exact form beside it, and what is read from both."""

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from core.activations import ACTIVATIONS, Activation
from core.arrays import Array
from core.formulas import (
    OPERATIONS,
    ZERO,
    Apply,
    BoundRun,
    Expression,
    Functions,
    Name,
    Operation,
    axes_lacking,
    compile_bound,
    compile_formula,
    is_lifted,
    latex_of,
    lift,
    names_in,
    parse_formula,
    parts_of,
    rewrite,
    simplify,
    substitute,
    to_latex,
    to_text,
)
from core.losses import LOSSES
from core.steps.context import SIZES, RuleContext, Structure, find_activation
from core.steps.rounding import Rounding

FUNCTIONS = ("f", "f′", "loss", "loss′")
"""What stands in formulas for the layer's activation, its slope, the problem's loss, and its derivative by A."""

WEIGHTS_PENALTY, BIAS_PENALTY = parse_formula("c·sum(W²)/2"), parse_formula("c·sum(b²)/2")

SPELLED_OUT: Mapping[Expression, Expression] = {
    Name("ln_B"): parse_formula("ln(B)"),
    Name("weights_penalty"): WEIGHTS_PENALTY,
    Name("bias_penalty"): BIAS_PENALTY,
}
"""What readers see in place of names that only the table has."""

SLOPE = parse_formula("f′(Z)", FUNCTIONS)
LOSS_DERIVATIVE = parse_formula("loss′(A)", FUNCTIONS)
GRADIENT = Name("dL/dA")


def formula_symbol(template: str) -> str:
    """Return what a quantity of the table is called in formulas: ``"dL/dW"`` for ``"dL_dW{l}"``."""
    # what a layer takes from below is its inputs
    return _PLACEHOLDER.sub("", template.replace("A{l-1}", "X")).replace("_d", "/d", 1)


def _spelled_out(formula: Expression) -> Expression:
    return substitute(formula, SPELLED_OUT)


_PLACEHOLDER = re.compile(r"\{.*?\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalJacobian:
    """The derivative of one forward rule by one of its inputs, one matrix per sample.

    Parameters
    ----------
    by : str
        What it is taken by, in words.
    formula : Expression
        The matrix of one sample, whose inputs are the column x, its pre-activations z, and its softmax s; its columns
        follow weights as column_order says.
    shape : str
    why : str
        Why the formula holds, in a sentence for students.
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
    formula: Expression
    shape: str
    why: str
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
    inputs : mapping of str to str
        What it takes: templates of quantities, by the symbols that stand for them in the formula.
    quantity, shape : str
        For people: the quantity's name in words, and the shape of the output.
    formula : Expression or None
        What is computed, as textbooks write it; ``f``, ``f′``, ``loss`` and ``loss′`` stand for the layer's activation
        and the problem's loss. None for what comes from conventions and targets alone.
    source : str
        Where that comes from, in words.
    why : str
        Why the formula holds, in a sentence for students.
    exact : callable or None
        ``exact(context, *inputs)``: the same in a form that keeps every digit, or takes less time. It counts axes from
        the last: inputs may be stacks, one entry for each of several cases along a first axis more, and then so is the
        output. A stack of numbers has further axes of length 1, as many as the output has without its first.
        Without it the formula is computed as it stands.
    passes_outputs : bool
        Whether `exact` goes past the layer's activations, so that it does not hold for activations that are not those
        of the pre-activations: a student's own, or a mistake's.
    applies : callable
        ``applies(structure, layer)``: whether the table has the step.
    jacobians : mapping
        Local Jacobians by input template; forward rules only.
    advice : str
        What helps when the result overflows.
    bound : callable or None
        ``bound(context, rounding, errors, *inputs)`` bounds, entry by entry and to first order, how far the output
        lies off when each input lies off by up to its error, and what is written down on the way is rounded. Without
        it the errors are followed through the formula.
    is_edited : bool
        Whether the formula is that of a mistake. Then 0 · ∞ is no number, as NumPy has it, and ``f′`` may be applied to
        anything.
    """

    name: str
    output: str
    inputs: Mapping[str, str]
    quantity: str
    shape: str
    formula: Expression | None = None
    source: str = ""
    why: str = ""
    exact: Callable[..., Array] | None = None
    passes_outputs: bool = False
    applies: Callable[[Structure, int], bool] = lambda structure, layer: True
    jacobians: Mapping[str, LocalJacobian] = field(default_factory=dict)
    advice: str = "smaller inputs, weights or targets help"
    bound: Callable[..., Array] | None = None
    is_edited: bool = False

    @property
    def is_repeated(self) -> bool:
        """Whether the table has the rule for every layer rather than once."""
        return "{l" in self.output

    @cached_property
    def symbol(self) -> str:
        """What the output is called in formulas: ``"Z"``, ``"dL/dW"``."""
        return formula_symbol(self.output)

    @property
    def text(self) -> str:
        """The rule as people write it."""
        return self.source if self.formula is None else f"{self.symbol} = {to_text(_spelled_out(self.formula))}"

    @property
    def latex(self) -> str:
        """The rule as LaTeX."""
        left = latex_of(self.symbol)
        return left if self.formula is None else f"{left} = {to_latex(_spelled_out(self.formula))}"

    @cached_property
    def apply(self) -> Callable[..., Array]:
        """``apply(context, *inputs)``, exact where there is such a form."""
        return self.exact or self.by_formula

    @cached_property
    def from_outputs(self) -> Callable[..., Array] | None:
        """`by_formula`, for activations that are not f(Z); None where `apply` holds for them as well."""
        return self.by_formula if self.passes_outputs else None

    @cached_property
    def rounding_bound(self) -> Callable[..., Array] | None:
        """``rounding_bound(context, rounding, errors, *inputs)``, see `bound`; None where nothing is rounded."""
        return None if self.formula is None else self.bound or self.follow_errors

    @cached_property
    def sizes(self) -> tuple[str, ...]:
        """The sizes of the problem that the formula mentions."""
        return tuple(name for name in names_in(self.formula or ZERO) if name in SIZES)

    @cached_property
    def is_plain(self) -> bool:
        """Whether the formula is the same whatever the activation and the loss."""
        return not any(
            isinstance(part, Apply) and part.operation in FUNCTIONS for part in parts_of(self.formula or ZERO)
        )

    def by_formula(self, context: RuleContext, *inputs: Array) -> Array:
        """Compute the formula as it stands.

        Parameters
        ----------
        context : RuleContext
        *inputs : ndarray

        Returns
        -------
        ndarray
        """
        sizes = [SIZES[name](context) for name in self.sizes]
        return _compiled(self, self._symbols[len(inputs) :], *self._kinds(context))(*inputs, *sizes)

    def follow_errors(self, context: RuleContext, rounding: Rounding, errors: Sequence[Array], *inputs: Array) -> Array:
        """Bound the error of the output by following errors through the formula; see `bound`."""
        follow, lifted, lacking = _compiled_bound(self, self._symbols[len(inputs) :], *self._kinds(context))
        values, found = list(inputs), [error if np.count_nonzero(error) else None for error in errors]
        for place, symbol in lifted:
            values[place], error = lift(symbol, inputs[place]), found[place]
            found[place] = None if error is None else lift(symbol, error)
        bound = follow(rounding.of, values, found)
        return np.zeros(()) if bound is None else _without_axes(lacking, bound)

    def fill_in(self, context: RuleContext, n_inputs: int) -> Expression:
        """Write the formula with the layer's activation and the problem's loss, without what the layer lacks.

        Parameters
        ----------
        context : RuleContext
        n_inputs : int
            How many of the inputs there are, from the first.

        Returns
        -------
        Expression
        """
        return _filled(self, self._symbols[n_inputs:], *self._kinds(context))

    def _kinds(self, context: RuleContext) -> tuple[str, float, str]:
        problem = context.problem
        if self.is_plain:
            return "identity", 0.0, ""
        return context.layer.activation, context.conventions.relu_at_zero, problem.loss or ""

    @cached_property
    def _symbols(self) -> tuple[str, ...]:
        return tuple(self.inputs)


@lru_cache(maxsize=512)
def _compiled(rule: Rule, absent: tuple[str, ...], *kinds: Any) -> Callable[..., Array]:
    formula = _filled(rule, absent, *kinds)
    functions = _functions(*kinds[:2]) if rule.is_edited else {}
    names = [symbol for symbol in rule.inputs if symbol not in absent]
    compute = compile_formula(formula, [*names, *rule.sizes], functions)
    lifted, lacking = _lifted(rule, formula), tuple(axes_lacking(formula))
    if not lifted and not lacking:
        return compute

    def run(*inputs: Array) -> Array:
        values = list(inputs)
        for place, symbol in lifted:
            values[place] = lift(symbol, values[place])
        return _without_axes(lacking, compute(*values))

    return run


def _functions(activation: str, relu_at_zero: float) -> Functions:
    """Give products as NumPy has them, the slope of one activation, and those of all others by their names."""
    products = {name: replace(OPERATIONS[name], value=operator.mul) for name in ("scale", "multiply")}
    kinds = {"f": find_activation(activation, relu_at_zero), **ACTIVATIONS}
    return products | {f"{name}′": _slope(kind) for name, kind in kinds.items()}


def _slope(kind: Activation) -> Operation:
    return replace(OPERATIONS["tanh"], value=lambda z: kind.vjp(z, kind.value(z), np.ones_like(z)))


@lru_cache(maxsize=512)
def _compiled_bound(
    rule: Rule, absent: tuple[str, ...], *kinds: Any
) -> tuple[BoundRun, list[tuple[int, str]], tuple[int, ...]]:
    formula = _filled(rule, absent, *kinds)
    return compile_bound(formula, list(rule.inputs)), _lifted(rule, formula), tuple(axes_lacking(formula))


def _lifted(rule: Rule, formula: Expression) -> list[tuple[int, str]]:
    mentioned = names_in(formula)
    return [(place, symbol) for place, symbol in enumerate(rule.inputs) if symbol in mentioned and is_lifted(symbol)]


def _without_axes(axes: tuple[int, ...], value: Array) -> Array:
    return value.squeeze(axes) if axes and value.ndim else value


@lru_cache(maxsize=512)
def _filled(rule: Rule, absent: tuple[str, ...], activation: str, relu_at_zero: float, loss: str) -> Expression:
    if rule.formula is None:
        raise ValueError(f"the rule {rule.name} has no formula")
    kind = find_activation(activation, relu_at_zero)

    def fill(part: Expression) -> Expression:
        if not isinstance(part, Apply):
            return part
        if kind.gradient and part.operation == "multiply" and part.operands[1] == SLOPE:
            return substitute(kind.gradient, {GRADIENT: part.operands[0]})
        if part.operation == "f":
            return substitute(kind.formula, {Name("Z"): part.operands[0]})
        if part.operation == "loss":
            return LOSSES[loss].formula
        return LOSSES[loss].derivative if part == LOSS_DERIVATIVE else part

    # outer parts first: a coupled slope has no value of its own
    zeros: dict[Expression, Expression] = {Name(symbol): ZERO for symbol in absent}
    filled = rewrite(rule.formula, fill)
    filled = substitute(filled, {SLOPE: kind.derivative, **zeros})
    return simplify(filled)
