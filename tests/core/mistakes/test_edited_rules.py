"""Mistakes that are an edit of a rule's formula: its text, and its stable form."""

import numpy as np
import pytest

from core.activations import ACTIVATIONS
from core.formulas import Edit, drop, parse_formula, put, replace_part, to_text
from core.mistakes import MISTAKES
from core.scenarios import Scenarios
from core.steps import RULES, Rule, RuleContext, edit_rule, fill, structure_of
from core.steps.rules import FUNCTIONS
from tests.support.named_problems import PROBLEMS

EDITED = [
    (f"{mistake.name}-{way}-{change.rule}", change.edited)
    for mistake in MISTAKES.values()
    for way, variant in enumerate(mistake.variants)
    for change in variant
    if change.edited
]
STABLE = {name: rule for name, rule in EDITED if rule.exact}
each_edited = pytest.mark.parametrize("rule", [rule for _, rule in EDITED], ids=[name for name, _ in EDITED])


@each_edited
def test_an_edited_formula_is_read_back_from_its_text(rule: Rule) -> None:
    slopes = [f"{name}′" for name in ACTIVATIONS]
    assert rule.formula
    assert parse_formula(to_text(rule.formula), [*FUNCTIONS, *slopes]) == rule.formula


@each_edited
def test_an_edited_formula_is_another_than_the_rule_s_unless_numpy_overflows_on_it(rule: Rule) -> None:
    is_same = rule.formula == RULES[rule.name].formula
    assert not is_same or rule in [change.edited for change in MISTAKES["overflowed"].variants[0]]


@pytest.mark.parametrize("name", ["plain", "hidden softmax"])
@pytest.mark.parametrize("rule", STABLE.values(), ids=STABLE)
def test_the_stable_form_of_an_edited_formula_is_the_formula(rule: Rule, name: str) -> None:
    problem = PROBLEMS[name]
    scenarios, structure = Scenarios(problem), structure_of(problem)
    for number in range(1, problem.network.depth + 1):
        context = RuleContext(problem, number)
        inputs = [scenarios.value(key) for text in rule.inputs.values() for key in fill(text, number, structure)]
        np.testing.assert_allclose(rule.apply(context, *inputs), rule.by_formula(context, *inputs), rtol=1e-12)


@pytest.mark.parametrize(
    ("rule", "edit", "formula"),
    [
        ("affine", drop("b"), "X·W"),
        ("affine", drop("X·W"), "b"),
        ("affine", drop("X"), "W + b"),
        ("logits_gradient", drop("A"), "(−Y)/(N·ln_B)"),
        ("activation_gradient", drop("Z"), "dL/dA"),
        ("affine", replace_part("W", "Wᵀ"), "X·Wᵀ + b"),
        ("affine", replace_part("X·W", parse_formula("X")), "X + b"),
        ("affine", put("sum(X)"), "sum(X)"),
    ],
)
def test_an_edit_changes_the_part_that_it_names(rule: str, edit: Edit, formula: str) -> None:
    edited = edit_rule(rule, edit).edited
    assert edited
    assert edited.formula == parse_formula(formula)


def test_an_edit_takes_nothing_more_where_a_layer_may_lack_an_input() -> None:
    with pytest.raises(ValueError, match="affine"):
        edit_rule("affine", replace_part("b", "Z₋"), extra={"Z₋": "Z{l-1}"})
