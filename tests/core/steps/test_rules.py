"""Each rule's formula is what the rule computes, whatever the activation, the loss and the conventions."""

from collections import Counter

import numpy as np
import pytest

from core.arrays import Array
from core.formulas import names_in, parse_formula, to_text
from core.problem import Problem
from core.steps import RULES, Rule, RuleContext, Step, evaluate, sources_of, steps_of, structure_of
from core.steps.rules import FUNCTIONS
from tests.support.float_rounding import FLOAT, has_twelve_digits, is_explained
from tests.support.problems import in_float32, random_problem

FORMULAS = [rule for rule in RULES.values() if rule.formula]

each_rule = pytest.mark.parametrize("rule", FORMULAS, ids=lambda rule: rule.name)


def values_of(problem: Problem) -> dict[str, Array]:
    """Compute all that the table has."""
    outputs = [step.output for step in steps_of(structure_of(problem))]
    return {**sources_of(problem), **evaluate(problem, outputs)}


def parts_to_add(step: Step, values: dict[str, Array]) -> list[list[Array]]:
    """Return the inputs of a rule; of a penalty, one list for each layer's parameters, whose results are added up."""
    inputs = [values[name] for name in step.inputs]
    return [[inputs[0], value] for value in inputs[1:]] if "{*}" in str(step.rule.inputs) else [inputs]


def by_formula(problem: Problem, step: Step, values: dict[str, Array]) -> Array:
    """Compute a step by its rule's formula."""
    context = RuleContext(problem, step.number)
    return np.asarray(sum(step.rule.by_formula(context, *inputs) for inputs in parts_to_add(step, values)))


def rounding_followed(problem: Problem, step: Step, values: dict[str, Array]) -> Array:
    """Follow float64's rounding of the inputs through the formula."""
    context = RuleContext(problem, step.number)
    return np.asarray(
        sum(
            step.rule.follow_errors(context, FLOAT, [FLOAT.of(value) for value in inputs], *inputs)
            for inputs in parts_to_add(step, values)
        )
    )


def test_the_formula_is_what_the_rule_computes() -> None:
    compared: Counter[str] = Counter()
    twelve_digits: Counter[str] = Counter()
    for seed in range(500):
        problem = random_problem(seed)
        values = values_of(problem)
        for step in steps_of(structure_of(problem)):
            if step.rule.formula is None:
                continue
            exact, name = values[step.output], step.rule.name
            with np.errstate(all="ignore"):
                found, followed = by_formula(problem, step, values), rounding_followed(problem, step, values)
            assert found.shape == exact.shape, (seed, step.output)
            assert is_explained(found, exact, followed), (seed, step.output)
            compared[name] += exact.size
            twelve_digits[name] += int(has_twelve_digits(found, exact).sum())
    assert set(compared) == {rule.name for rule in FORMULAS}
    # an exact form is there for the others: an output that has rounded to 1 has no logarithm of 1 − a
    assert min(twelve_digits[name] / compared[name] for name in compared) > 0.98


def test_formulas_stack_and_keep_float32() -> None:
    for seed in range(60):
        problem = in_float32(random_problem(seed))
        values = values_of(problem)
        for step in steps_of(structure_of(problem)):
            if step.rule.formula is None or not (parts := parts_to_add(step, values)):
                continue
            context, inputs = RuleContext(problem, step.number), parts[0]
            with np.errstate(all="ignore"):
                single = step.rule.by_formula(context, *inputs)
                # a stack of numbers has further axes of length 1, as many as the output has without its first
                stacks = [
                    np.stack([value, value]).reshape(2, *((1,) * single.ndim if value.ndim == 0 else value.shape))
                    for value in inputs
                ]
                stacked = step.rule.by_formula(context, *stacks)
            assert single.dtype == np.float32, step.output
            assert stacked.shape == (2, *single.shape), step.output
            np.testing.assert_allclose(stacked, np.stack([single, single]), rtol=1e-5)


@each_rule
def test_a_formula_names_its_inputs_and_no_others(rule: Rule) -> None:
    assert rule.formula
    assert set(names_in(rule.formula)) <= set(rule.inputs)
    assert parse_formula(to_text(rule.formula), FUNCTIONS) == rule.formula


def test_a_rule_of_conventions_alone_has_no_formula_to_fill_in() -> None:
    with pytest.raises(ValueError, match="targets has no formula"):
        RULES["targets"].fill_in(RuleContext(random_problem(0), 1), 0)
