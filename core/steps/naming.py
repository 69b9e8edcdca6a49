"""The rules with a problem's own names and numbers, without what the problem lacks.

``Xᵀ·dL/dZ + c·W`` is ``A1ᵀ·dL/dZ2`` in the second layer of a network without a penalty. What has no name in the grammar
of quantities is written out: the losses of the samples in the loss, N as 1 where the loss is a sum.
"""

from collections.abc import Mapping
from functools import reduce

from core.arrays import Array
from core.conventions import LOG_BASES
from core.errors import TooLargeError, UnknownNameError
from core.formulas import ONE, ZERO, Apply, Expression, Name, Number, names_in, simplify, substitute
from core.problem import Problem
from core.quantities import public_name
from core.steps.context import RuleContext
from core.steps.evaluation import LOSS_OUTPUTS, evaluate, sources_of
from core.steps.loss import bias_l2_coefficient_of, divisor_of, l2_coefficient_of
from core.steps.table import Step, fill, steps_of, structure_of

TARGETS = "Y"
COUNT = "N"

MAX_TERMS = 32
"""The most layers whose penalties are written out, one beside the other: `parse_formula` reads no more back."""


def formula_of(problem: Problem, key: str) -> Expression:
    """Write the rule of a quantity in the names of a problem.

    Parameters
    ----------
    problem : Problem
    key : str
        The numbered id of what a step computes: ``"Z1"``, ``"L"``, ``"dL_dW2"``.

    Returns
    -------
    Expression
        Its names are those of `value_of_name`.

    Raises
    ------
    UnknownNameError
        If no step computes it.
    TooLargeError
        If it has a penalty of more than `MAX_TERMS` layers.
    """
    steps = {step.output: step for step in steps_of(structure_of(problem))}
    if key not in steps:
        raise UnknownNameError(f"no step of the problem computes {key}")
    return simplify(_fill_in(problem, steps, steps[key]))


def symbol_of_quantity(problem: Problem, key: str) -> str:
    """Return what a quantity is called in a problem's formulas: ``"dL/dW2"`` for ``"dL_dW2"``, ``"S"`` for ``"A2"``."""
    # the loss, and what it is made of, have no layer
    return key if key in LOSS_OUTPUTS else public_name(key, problem).replace("_d", "/d", 1)


def values_of_names(problem: Problem, formula: Expression) -> Mapping[str, Array]:
    """Compute what the names of a formula stand for.

    Parameters
    ----------
    problem : Problem
    formula : Expression
        Of `formula_of`.

    Returns
    -------
    mapping of str to ndarray
    """
    keys = {symbol_of_quantity(problem, step.output): step.output for step in steps_of(structure_of(problem))}
    named = {symbol_of_quantity(problem, key): value for key, value in sources_of(problem).items()}
    computed = [name for name in names_in(formula) if name in keys and name not in {TARGETS, COUNT}]
    values = evaluate(problem, [keys[name] for name in computed])
    found = {name: values[keys[name]] for name in computed}
    for name in names_in(formula):
        if name == TARGETS:
            found[name] = problem.target_distribution()
        elif name == COUNT:
            found[name] = divisor_of(RuleContext(problem, problem.network.depth))
        elif name in named:
            found[name] = named[name]
    return found


def _fill_in(problem: Problem, steps: Mapping[str, Step], step: Step) -> Expression:
    structure = structure_of(problem)
    named = {symbol: fill(template, step.number, structure) for symbol, template in step.rule.inputs.items()}
    several = next((symbol for symbol, template in step.rule.inputs.items() if "{*}" in template), None)
    single: dict[Expression, Expression] = {
        Name(symbol): _written(problem, steps, name)
        for symbol, names in named.items()
        if symbol != several
        for name in names
    }
    formula = substitute(step.rule.fill_in(RuleContext(problem, step.number), len(step.inputs)), single)
    if several is None:
        return formula
    # a penalty: one term for each layer
    names = named[several]
    if not names or simplify(formula) == ZERO:
        return ZERO
    if len(names) > MAX_TERMS:
        raise TooLargeError(f"the penalty of {len(names)} layers is not written out: needed at most {MAX_TERMS}")
    terms = [substitute(formula, {Name(several): _written(problem, steps, name)}) for name in names]
    return reduce(lambda left, right: Apply("add", (left, right)), terms)


def _written(problem: Problem, steps: Mapping[str, Step], name: str) -> Expression:
    context = RuleContext(problem, problem.network.depth)
    if name == "y":
        return Name(TARGETS)
    if name == "divisor":
        return Name(COUNT) if float(divisor_of(context)) != 1.0 else ONE
    if name == "log_of_base":
        base = problem.conventions.log_base
        return ONE if base == "e" else Apply("ln", (Number(LOG_BASES[base]),))
    if name == "l2_coefficient":
        return Number(float(l2_coefficient_of(context)))
    if name == "bias_l2_coefficient":
        return Number(float(bias_l2_coefficient_of(context)))
    if name in {"losses", "weights_penalty", "bias_penalty"}:
        return _fill_in(problem, steps, steps[name])
    return Name(symbol_of_quantity(problem, name))
