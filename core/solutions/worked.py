"""Working a problem out: the table of steps, read with formulas, shapes, numbers and reasons."""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from core.arrays import Array, as_index
from core.budget import Budget
from core.conventions import Conventions
from core.errors import DomainError, NonFiniteError, Path, TooLargeError, counted
from core.formulas import (
    MAX_HEIGHT,
    MAX_LENGTH,
    NUMBERS,
    Apply,
    Expression,
    Name,
    latex_of,
    names_in,
    number_to_text,
    parts_of,
    round_number,
    to_latex,
    to_text,
    value_of_entry,
    write_entry,
)
from core.invariants import invariants_of
from core.jacobians import Link, compute_product, names_behind, path_between, require_room
from core.nodes import n_components, shape_of
from core.problem import Problem
from core.propagation import parameter_gradient_names
from core.quantities import Quantity, parse_quantities, parse_quantity, public_name, title_of, to_quantity
from core.solutions.derivation import Derivation, derive
from core.solutions.lines import STEPS_WITHOUT_ID, Line, lines_for
from core.solutions.markdown import write_markdown
from core.solutions.step import SolutionStep, StepCheck, WrittenEntry
from core.steps import evaluate, sources_of
from core.steps.naming import TARGETS, symbol_of_quantity

MAX_NUMBERS = 20_000
"""The most numbers of all steps together: nobody reads more."""

MAX_DECIMALS = 10
DEFAULT_DECIMALS = 4

MORE_DECIMALS = (0, 1, 2, 4, 8, 16)
"""How many decimals more an entry gets, one after the other, until its rounded numbers give its value."""

CLOSE = 0.01
"""How near, as a part of itself, the value of an entry has to be to what its rounded numbers give."""

ROUNDING = 1e-12
"""How far float64 may carry an invariant off, as a part of the largest number on the way, for each term."""


@dataclass(frozen=True, kw_only=True, eq=False)
class WorkedSolution:
    """A worked solution.

    Parameters
    ----------
    conventions : Conventions
    steps : tuple of SolutionStep
        Each after those that it is computed from.
    derivation : Derivation or None
        Where it was asked for.
    text : str
        All of it, as Markdown.
    """

    conventions: Conventions
    steps: tuple[SolutionStep, ...]
    derivation: Derivation | None = None
    text: str

    def outline(self, right: Collection[str]) -> "WorkedSolution":
        """Return what may be read without the numbers: the steps up to the first that somebody has not right.

        Parameters
        ----------
        right : collection of str
            Ids of the quantities that they have right. What those are computed from counts as right as well.

        Returns
        -------
        WorkedSolution
            Without values, checks and entries; with the derivation where the steps reach its quantity.
        """
        done = set(right)
        for step in reversed(self.steps):
            if step.quantity in done:
                done |= set(step.inputs)
        shown = []
        for step in self.steps:
            shown.append(replace(step, value=None, checks=None, entry=None))
            if step.quantity not in done:
                break
        derivation = self.derivation
        if derivation is not None and derivation.quantity not in {step.quantity for step in shown}:
            derivation = None
        return replace(
            self, steps=tuple(shown), derivation=derivation, text=write_markdown(shown, derivation, DEFAULT_DECIMALS)
        )


def solve_problem(
    problem: Problem,
    quantities: tuple[str, ...] | None = None,
    *,
    entry: Mapping[str, tuple[int, ...]] | None = None,
    decimals: int = DEFAULT_DECIMALS,
    with_derivation: bool = False,
    budget: Budget | None = None,
) -> WorkedSolution:
    """Work a problem out, step by step.

    Parameters
    ----------
    problem : Problem
    quantities : tuple of str, optional
        Ids of what is wanted; by default the gradient by every parameter.
    entry : mapping of str to tuple of int, optional
        Which entry of a step is written out, from 0, by the step's id; by default its largest in size.
    decimals : int
        Those of the numbers that are written out.
    with_derivation : bool
        Whether to derive the gradient by the last pre-activations.
    budget : Budget, optional

    Returns
    -------
    WorkedSolution

    Raises
    ------
    UnknownNameError
        If the problem has no such quantity.
    DomainError
        If a quantity is asked for twice, an entry is not one of a step, decimals are negative or too many, or there
        is nothing to derive.
    TooLargeError
        If there is more than anybody reads, or than the budget allows.
    NonFiniteError
        If a number does not fit float64.
    """
    budget = budget or Budget()
    if not 0 <= decimals <= MAX_DECIMALS:
        raise DomainError(f"found {decimals} decimals; needed 0 to {MAX_DECIMALS}", path=("decimals",))
    wanted = _read_wanted(problem, quantities)
    derivation = derive(problem) if with_derivation else None
    lines = lines_for(problem, wanted.values())
    asked = {quantity.key: text for text, quantity in wanted.items()}
    ids = {line.key: asked.get(line.key, public_name(line.key, problem)) for line in lines}
    indices = _read_entries(problem, lines, entry or {})
    _require_few_numbers(problem, lines)
    require_room(problem, [to_quantity(line.key) for line in lines], budget, path_of=lambda index: ("problem",))
    known = _compute(problem, lines, list(wanted.values()) if quantities else [], budget)
    writer = _StepWriter(problem, known, ids, decimals)
    steps = tuple(writer.write(line, indices.get(line.key)) for line in lines)
    return WorkedSolution(
        conventions=problem.conventions,
        steps=steps,
        derivation=derivation,
        text=write_markdown(steps, derivation, decimals),
    )


def _read_wanted(problem: Problem, quantities: tuple[str, ...] | None) -> dict[str, Quantity]:
    if quantities is not None:
        return parse_quantities(quantities, problem, path=("quantities",))
    if problem.loss is None:
        raise DomainError(
            "the problem has no loss, so it has no gradients; needed quantities, or targets and loss",
            path=("quantities",),
        )
    return {public_name(key, problem): to_quantity(key) for key in parameter_gradient_names(problem)}


def _shape(problem: Problem, quantity: Quantity) -> tuple[int, ...]:
    if not quantity.is_jacobian:
        return shape_of(quantity.node, problem)
    return (problem.n_samples, *(n_components(node, problem) for node in (quantity.of, str(quantity.by))))


def _read_entries(
    problem: Problem, lines: tuple[Line, ...], entry: Mapping[str, tuple[int, ...]]
) -> dict[str, tuple[int, ...]]:
    keys = {line.key for line in lines}
    found: dict[str, tuple[int, ...]] = {}
    for text, index in entry.items():
        path: Path = ("entry", text)
        quantity = parse_quantity(text, problem, path=path)
        if quantity.key not in keys or quantity.key in found:
            said = "is no step of this solution" if quantity.key not in keys else "is named twice"
            raise DomainError(
                f"{public_name(quantity.key, problem)} {said}; needed steps, each once, because an entry is one of a "
                "step",
                path=path,
            )
        shape = _shape(problem, quantity)
        if len(index) != len(shape) or not all(0 <= place < length for place, length in zip(index, shape, strict=True)):
            given = str(index) if len(index) == len(shape) else f"an index of {counted(len(index), 'number')}"
            raise DomainError(
                f"found {given}; needed an index of {len(shape)}, from 0 and below {shape}, because that is the shape "
                f"of {public_name(quantity.key, problem)}",
                path=path,
            )
        found[quantity.key] = index
    return found


def _require_few_numbers(problem: Problem, lines: tuple[Line, ...]) -> None:
    count = sum(math.prod(_shape(problem, to_quantity(line.key))) for line in lines)
    if count > MAX_NUMBERS:
        raise TooLargeError(
            f"the steps have {count} numbers together; needed at most {MAX_NUMBERS} for a solution that is written out",
            path=("problem",),
        )


def _compute(problem: Problem, lines: tuple[Line, ...], asked: Sequence[Quantity], budget: Budget) -> dict[str, Array]:
    """Return the values of all lines, and of what they start from, by numbered ids."""
    paths = {line.key: _links(problem, to_quantity(line.key)) for line in lines if line.is_in_sample}
    table = [line.key for line in lines if not line.is_in_sample]
    table += [key for line in lines for key in line.sources.values() if key in STEPS_WITHOUT_ID.values()]
    behind = [name for links in paths.values() for name in names_behind(links)]
    try:
        known = evaluate(problem, dict.fromkeys((*table, *behind)), budget=budget) | sources_of(problem)
        for key, links in paths.items():
            known[key] = compute_product(problem, to_quantity(key), links, lambda names: dict(known))
    except NonFiniteError:
        # one after the other, to see which cannot be had
        for index, quantity in enumerate(asked):
            try:
                _compute(problem, lines_for(problem, [quantity]), [], budget)
            except NonFiniteError as own:
                raise own.at(("quantities", index)) from None
        raise
    return known


def _links(problem: Problem, quantity: Quantity) -> tuple[Link, ...]:
    return path_between(problem, quantity.of, str(quantity.by))


@dataclass(frozen=True, slots=True)
class _StepWriter:
    problem: Problem
    known: Mapping[str, Array]
    ids: Mapping[str, str]
    decimals: int

    def write(self, line: Line, index: tuple[int, ...] | None) -> SolutionStep:
        problem, quantity = self.problem, to_quantity(line.key)
        value = self.known[line.key]
        values = line.values(self.known)
        if index is None:
            index = as_index(int(np.abs(value).argmax()), value.shape)
        return SolutionStep(
            quantity=self.ids[line.key],
            title=title_of(quantity, problem),
            inputs=tuple(self._id(key) for name, key in line.sources.items() if name not in NUMBERS),
            rule=line.rule,
            formula=to_text(line.formula),
            latex=f"{latex_of(symbol_of_quantity(problem, line.key))} = {to_latex(line.formula)}",
            shape=value.shape,
            shapes=self._shapes(line, values),
            value=value,
            why=line.why,
            checks=tuple(self._check(line, quantity, value, values)),
            entry=self._write_entry(line, index, float(value[index]), values),
        )

    def _id(self, key: str) -> str:
        return TARGETS if key == STEPS_WITHOUT_ID[TARGETS] else self.ids.get(key, public_name(key, self.problem))

    def _shapes(self, line: Line, values: Mapping[str, Array]) -> dict[str, tuple[int, ...]]:
        found = {}
        for part in _factors(line.formula):
            name = names_in(part)[0]
            if name in values and name not in NUMBERS:
                shape = values[name].shape[-2:] if line.is_in_sample else values[name].shape
                found[to_text(part)] = shape[::-1] if isinstance(part, Apply) else shape
        return found

    def _check(self, line: Line, quantity: Quantity, value: Array, values: Mapping[str, Array]) -> Iterator[StepCheck]:
        shapes = self._shapes(line, values)
        for part in parts_of(line.formula):
            if isinstance(part, Apply) and part.operation == "product":
                left, right = (shapes[to_text(operand)] for operand in part.operands)
                sample = "in each sample " if line.is_in_sample else ""
                yield StepCheck(
                    name="shapes",
                    statement=f"{sample}{to_text(part)} has the shapes {left}·{right}, so the result has "
                    f"{(left[0], right[1])}",
                    holds=left[1] == right[0] and (left[0], right[1]) == value.shape[-2:],
                )
        if quantity.is_gradient:
            by, shape = public_name(quantity.node, self.problem), shape_of(quantity.node, self.problem)
            yield StepCheck(
                name="shape_of_gradient",
                statement=f"the gradient has the shape of {by}, {shape}",
                holds=value.shape == shape,
            )
        largest = [float(np.abs(factor).max()) for factor in (value, *values.values())]
        scale = max(largest[0], math.prod(max(1.0, one) for one in largest[1:]))
        for invariant in invariants_of(self.problem, quantity):
            allowed = invariant.terms(self.problem, value) * ROUNDING * scale
            yield StepCheck(
                name=invariant.name,
                statement=invariant.state(self.problem),
                holds=bool(invariant.residual(value).max() <= allowed),
            )

    def _write_entry(
        self, line: Line, index: tuple[int, ...], value: float, values: Mapping[str, Array]
    ) -> WrittenEntry:
        place = index
        if line.is_in_sample:
            # the other samples have no part in it
            values = {name: array[index[0]] if array.ndim == 3 else array for name, array in values.items()}
            place = index[1:]
        # a row's entries stand in its only row
        row, column = (0,) * (2 - len(place)) + place
        digits = number_to_text(round_number(value, self.decimals))
        try:
            text = self._write_out(line.formula, (row, column), value, values)
        except TooLargeError as error:
            raise TooLargeError(f"{self.ids[line.key]}: {error}", path=("problem",)) from None
        text = digits if text in {None, digits} else f"{text} = {digits}"
        return WrittenEntry(index=index, text=text, value=value)

    def _write_out(
        self, formula: Expression, place: tuple[int, int], value: float, values: Mapping[str, Array]
    ) -> str | None:
        """Write an entry with as many decimals as asked, or as it takes to come out near its value; None if none do."""
        allowed = max(10.0**-self.decimals, CLOSE * abs(value))
        for more in MORE_DECIMALS:
            decimals = self.decimals + more
            written = write_entry(formula, place, values, decimals)
            text = to_text(written)
            if len(text) > MAX_LENGTH or written.height > MAX_HEIGHT:
                if more:
                    # as many digits as nobody asked for are no reason to refuse
                    return None
                raise TooLargeError(
                    f"one entry written out has {len(text)} characters and {written.height} operations in one another; "
                    f"needed at most {MAX_LENGTH} and {MAX_HEIGHT}: fewer decimals, samples or inputs help"
                )
            if abs(value_of_entry(written) - value) <= allowed:
                return text
        return None


def _factors(formula: Expression) -> Iterator[Expression]:
    """List the names of a formula, each with the sign of transposition where it has one."""
    if isinstance(formula, Name) or (
        isinstance(formula, Apply) and formula.operation == "transpose" and isinstance(formula.operands[0], Name)
    ):
        yield formula
    elif isinstance(formula, Apply):
        for operand in formula.operands:
            yield from _factors(operand)
