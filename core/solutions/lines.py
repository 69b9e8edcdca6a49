"""The lines of a worked solution: which quantities are worked out, in which order, each by which formula.

What the formulas mention decides what is needed. A Jacobian is multiplied from the left: every local factor is a line
of its own, and so is every product of two.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

import numpy as np

from core.arrays import Array
from core.errors import TooLargeError
from core.formulas import CONSTANTS, ONE, Apply, Expression, Name, names_in, rewrite, simplify, substitute
from core.jacobians import Link, path_between
from core.nodes import activations_node
from core.problem import Problem
from core.quantities import Quantity, is_quantity_template, parse_quantity, public_name
from core.steps import Rule, RuleContext, steps_of, structure_of
from core.steps.loss import divisor_of
from core.steps.naming import COUNT, TARGETS, formula_of, symbol_of_quantity

MAX_DEPTH = 32
MAX_LINES = 300
"""The most layers of a network that is written out, and the most lines: nobody reads more."""

IDENTITY = "I"

STEPS_WITHOUT_ID: Mapping[str, str] = MappingProxyType({TARGETS: "y", COUNT: "divisor"})
"""What the table calls what formulas mention beside quantities and parameters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line: a quantity by a formula.

    Parameters
    ----------
    key : str
        The numbered id of the quantity.
    rule : str
        The rule's name.
    formula : Expression
    sources : mapping of str to str
        What its names stand for, as the table of steps calls it.
    why : str
    is_in_sample : bool
        Whether the formula is that of one sample's matrix, in which small letters stand for columns.
    """

    key: str
    rule: str
    formula: Expression
    sources: Mapping[str, str]
    why: str
    is_in_sample: bool = False

    def values(self, known: Mapping[str, Array]) -> dict[str, Array]:
        """Return what the names of the formula stand for, Jacobians and columns with the samples first.

        Parameters
        ----------
        known : mapping of str to ndarray
            Values by numbered ids.
        """
        found = {}
        for name in names_in(self.formula):
            if name == IDENTITY:
                # as many outputs as the Jacobian has rows
                found[name] = np.eye(known[self.key].shape[-2])
            elif name in self.sources:
                value = known[self.sources[name]]
                found[name] = value[..., None] if self.is_in_sample and name.islower() else value
        return found


def lines_for(problem: Problem, wanted: Iterable[Quantity]) -> tuple[Line, ...]:
    """List the lines that lead to quantities.

    Parameters
    ----------
    problem : Problem
    wanted : iterable of Quantity

    Returns
    -------
    tuple of Line
        In the order of the table of steps; Jacobians stand behind, the factors of each before their products.

    Raises
    ------
    TooLargeError
        If there are more than `MAX_LINES`, or more layers than `MAX_DEPTH`.
    """
    depth = problem.network.depth
    if depth > MAX_DEPTH:
        raise TooLargeError(
            f"the network has {depth} layers; needed at most {MAX_DEPTH} for a solution that is written out",
            path=("problem", "network", "layers"),
        )
    jacobians: dict[str, Line] = {}
    keys: set[str] = set()
    for quantity in wanted:
        if quantity.is_jacobian:
            for line in _jacobian_lines(problem, path_between(problem, quantity.of, str(quantity.by))):
                jacobians[line.key] = line
                keys |= set(line.sources.values())
                _require_few(len(jacobians))
        else:
            keys.add(quantity.key)
    table = []
    for step in reversed(steps_of(structure_of(problem))):
        if step.output in keys and is_quantity_template(step.rule.output):
            line = _table_line(problem, step.output, step.rule)
            keys |= set(line.sources.values())
            table.append(line)
    _require_few(len(table) + len(jacobians))
    return (*reversed(table), *jacobians.values())


def _require_few(count: int) -> None:
    if count > MAX_LINES:
        raise TooLargeError(
            f"the solution has {count} or more steps; needed at most {MAX_LINES}: ask for fewer quantities",
            path=("quantities",),
        )


def _table_line(problem: Problem, key: str, rule: Rule) -> Line:
    formula = formula_of(problem, key)
    sources = {name: _source_of(problem, name) for name in names_in(formula) if name not in CONSTANTS}
    why = rule.why
    if COUNT in sources:
        # which mean it is says what is counted, and it is not always the samples
        why += f" Here N is {float(divisor_of(RuleContext(problem, problem.network.depth))):.0f}."
    return Line(key=key, rule=rule.name, formula=formula, sources=sources, why=why)


def _source_of(problem: Problem, name: str) -> str:
    if name in STEPS_WITHOUT_ID:
        return STEPS_WITHOUT_ID[name]
    if name == "X":
        return name
    if name[0] in "Wb":
        # of one layer, W is W1
        return name if problem.network.depth > 1 else f"{name}1"
    return parse_quantity(name.replace("/d", "_d"), problem).key


def _jacobian_lines(problem: Problem, links: Sequence[Link]) -> list[Line]:
    first, *others = links
    lines = [_local_line(problem, first)]
    key, middle = first.key, first.by
    for link in others:
        lines.append(_local_line(problem, link))
        product = f"d{first.step.output}_d{link.by}"
        factors = {symbol_of_quantity(problem, factor): factor for factor in (key, link.key)}
        of, through, by = (public_name(node, problem) for node in (first.step.output, middle, link.by))
        lines.append(
            Line(
                key=product,
                rule="chain_rule",
                formula=Apply("product", tuple(map(Name, factors))),
                sources=factors,
                why=f"The chain rule: {of} depends on {by} only through {through}, so the two Jacobians are "
                "multiplied.",
                is_in_sample=True,
            )
        )
        key, middle = product, link.by
    return lines


def _local_line(problem: Problem, link: Link) -> Line:
    step, local = link.step, link.local
    context = RuleContext(problem, step.number)
    columns = {"x": step.inputs[0], "z": step.inputs[0], "s": activations_node(step.number)}
    names = {symbol: public_name(key, problem).lower() for symbol, key in columns.items()}
    sources = {names[symbol]: key for symbol, key in columns.items()}
    parts: dict[Expression, Expression] = {Name(symbol): Name(name) for symbol, name in names.items()}
    if len(step.inputs) > 1:
        sources[symbol_of_quantity(problem, step.inputs[1])] = step.inputs[1]
        parts[Name("W")] = Name(symbol_of_quantity(problem, step.inputs[1]))
    parts |= {Name("Z"): parts[Name("z")], Name("A"): parts[Name("s")]}
    formula = rewrite(local.formula, partial(_fill, context))
    formula = simplify(substitute(formula, parts))
    mentioned = names_in(formula)
    return Line(
        key=link.key,
        rule=f"jacobian_{step.rule.quantity}_by_{local.by}",
        formula=formula,
        sources={name: key for name, key in sources.items() if name in mentioned},
        why=local.why,
        is_in_sample=True,
    )


def _fill(context: RuleContext, part: Expression) -> Expression:
    if not isinstance(part, Apply):
        return part
    if part.operation == "f′":
        return context.activation.derivative
    if part.operation == "diag" and context.activation.gradient:
        # where outputs are coupled, the derivative is the whole matrix
        return part.operands[0]
    if part == Apply("diag", (ONE,)):
        return Name(IDENTITY)
    if part.operation == "kron" and context.conventions.column_order == "rows_first":
        return Apply("kron", part.operands[::-1])
    return part
