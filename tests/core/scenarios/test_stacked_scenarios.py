"""Many selections at once: stacked along a leading axis, every number is what it is one by one."""

from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np
import pytest

from core.activations import ACTIVATIONS
from core.arrays import Array
from core.losses import LOSSES
from core.mistakes import MISTAKES, Mistake
from core.problem import Problem
from core.scenarios import NO_VARIANTS, Scenarios, Selection, join, node, runs, select
from core.scenarios import scenarios as module
from core.steps import (
    RULES,
    Change,
    RuleContext,
    adjust_rule,
    everywhere,
    fill,
    replace_rule,
    scale_rule,
    steps_of,
    structure_of,
)
from tests.support.named_problems import PROBLEMS
from tests.support.problems import numbered_quantities, random_problem, two_layers

pytestmark = pytest.mark.long

Variant = Sequence[Change]

LOCAL = [f"d{rule.output}_d{template}" for rule in RULES.values() for template in rule.jacobians]
"""The local Jacobians, as a change names them."""

each_mistake = pytest.mark.parametrize("mistake", MISTAKES.values(), ids=lambda mistake: mistake.name)


def scaled(rule: str, factor: float) -> Variant:
    """Change a rule, or a local Jacobian, in every entry."""
    return (adjust_rule(rule, lambda exact, context, *inputs: exact(*inputs) * factor),)


MOVED: tuple[Variant, ...] = tuple(scaled(rule, 1.25) for rule in (*RULES, *LOCAL))
"""Everything that a step takes, one after the other."""

STACKING = (
    *("plain", "sum", "base 10", "L2", "L2 with biases", "square", "large logits", "sigmoid", "relu at zero"),
    *("squared error", "mean over entries", "hidden softmax", "L2 per sample", "rows first"),
)
"""The problems in which mistakes are made; each applies in one of them."""


def quantities(problem: Problem) -> list[str]:
    """Name all that a problem's table computes, and all its Jacobians."""
    names, pairs = numbered_quantities(problem)
    return [*names, *(f"d{of}_d{by}" for of, by in pairs)]


def one_by_one(
    scenarios: Scenarios, key: str, selections: Sequence[Selection], monkeypatch: pytest.MonkeyPatch
) -> list[Array]:
    """Compute a quantity under selections without a stack."""
    with monkeypatch.context() as patch:
        patch.setattr(runs, "MAX_STACK_NUMBERS", 0)
        return [scenarios.value(key, selection) for selection in selections]


def require_same(
    problem: Problem, variants: Sequence[Variant], selections: Sequence[Selection], patch: pytest.MonkeyPatch
) -> None:
    """Compare what the first variant reaches, stacked and one by one, to the last bit."""
    stacked, alone = Scenarios(problem, variants), Scenarios(problem, variants)
    for key in (key for key in quantities(problem) if alone.reach(key) & 1):
        expected = one_by_one(alone, key, selections, patch)
        for found, value in zip(stacked.values(key, selections), expected, strict=True):
            assert found.shape == value.shape
            np.testing.assert_array_equal(found, value)


@each_mistake
def test_a_mistake_under_many_others_is_what_it_is_under_each(
    mistake: Mistake, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitting = [PROBLEMS[name] for name in STACKING if mistake.applies(PROBLEMS[name])]
    assert fitting
    for problem in fitting:
        for variant in mistake.variants:
            selections = [select(0, 1 + other) for other in range(len(MOVED))]
            require_same(problem, [variant, *MOVED], selections, monkeypatch)


def computed_by_rules(problem: Problem) -> Iterator[tuple[str, str, RuleContext]]:
    """List what a change can be made in: its id, its rule or local Jacobian, and where it stands."""
    structure = structure_of(problem)
    for step in steps_of(structure):
        yield step.output, step.rule.name, RuleContext(problem, step.number)
    for number in range(1, structure.depth + 1):
        for template in LOCAL:
            yield from ((key, template, RuleContext(problem, number)) for key in fill(template, number, structure))


@each_mistake
def test_a_change_gives_another_shape_exactly_where_it_says_so(mistake: Mistake) -> None:
    for problem in PROBLEMS.values():
        for variant in mistake.variants:
            scenarios = Scenarios(problem, [variant])
            for key, rule, context in computed_by_rules(problem):
                makes = [change for change in variant if change.rule == rule and change.where(context)]
                if makes:
                    is_reshaped = scenarios.value(key, select(0)).shape != scenarios.value(key).shape
                    assert is_reshaped == any(change.reshapes(context) for change in makes), (mistake.name, key)


@pytest.mark.parametrize("problem", PROBLEMS.values(), ids=PROBLEMS)
def test_a_variant_that_is_selected_alone_is_not_changed_by_those_that_are_not(problem: Problem) -> None:
    variants = [v for mistake in MISTAKES.values() if mistake.applies(problem) for v in mistake.variants]
    among = Scenarios(problem, variants)
    for number, variant in enumerate(variants):
        alone = Scenarios(problem, [variant])
        for key in quantities(problem):
            np.testing.assert_array_equal(among.value(key, select(number)), alone.value(key, select(0)), strict=True)


def test_a_change_that_gives_another_shape_without_saying_so_is_refused() -> None:
    silent = replace_rule("grad_bias", lambda context, grad, *others: grad)
    scenarios = Scenarios(two_layers(), [[silent], *MOVED])
    with pytest.raises(ValueError, match="must say that it reshapes"):
        scenarios.value("dL_db1", select(0))
    with pytest.raises(ValueError, match="must say that it reshapes"):
        scenarios.values("dL_db1", [select(0, 1 + other) for other in range(len(MOVED))])


@pytest.mark.parametrize("seed", range(15))
def test_every_rule_under_many_changes_is_what_it_is_under_each(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    problem = random_problem(seed)
    selections = [join(both) for both in combinations([NO_VARIANTS, *map(select, range(len(MOVED)))], 2)]
    stacked, alone = Scenarios(problem, MOVED), Scenarios(problem, MOVED)
    for key in quantities(problem)[seed % 3 :: 3]:
        expected = one_by_one(alone, key, selections, monkeypatch)
        for found, value in zip(stacked.values(key, selections), expected, strict=True):
            np.testing.assert_array_equal(found, value)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("loss", LOSSES)
def test_every_activation_and_loss_takes_stacks(activation: str, loss: str) -> None:
    if LOSSES[loss].output_activation not in {None, activation}:
        return
    problem = two_layers(activation=activation, loss=loss)
    scenarios = Scenarios(problem, MOVED)
    for key in quantities(problem):
        scenarios.values(key, [*map(select, range(len(MOVED)))])


def test_what_looks_at_nothing_that_differs_is_the_same_for_all() -> None:
    constant = np.arange(6.0).reshape(3, 2)
    fixed = replace_rule("activation", lambda context, z: constant, where=lambda context: context.number == 2)
    variants = [[fixed], *(variant for variant in MOVED if variant[0].rule != "activation")]
    for value in Scenarios(two_layers(), variants).values(
        "A2", [select(0, 1 + other) for other in range(len(variants) - 1)]
    ):
        np.testing.assert_array_equal(value, constant)


def test_what_depends_on_sources_alone_is_the_same_for_all() -> None:
    by_weights = replace_rule("grad_inputs", lambda context, grad, weights: np.ones((3, 2)) @ weights.mT)
    variants = [[by_weights], *(variant for variant in MOVED if variant[0].rule != "grad_inputs")]
    scenarios = Scenarios(two_layers(), variants)
    for value in scenarios.values("dL_dA1", [select(0, 1 + other) for other in range(len(variants) - 1)]):
        np.testing.assert_array_equal(value, scenarios.value("dL_dA1", select(0)))


@pytest.mark.parametrize("most", [0, 30, 300, 3000])
def test_blocks_of_selections_give_what_all_at_once_give(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    problem = two_layers(l2=0.1)
    selections = [select(*both) for both in combinations(range(len(MOVED)), 2)][::3]
    keys = ("L", "dL_dW1", "dL_db1", "dA2_dW1")
    expected = {key: Scenarios(problem, MOVED).values(key, selections) for key in keys}
    monkeypatch.setattr(module, "MAX_KEPT_NUMBERS", most)
    tight = Scenarios(problem, MOVED)
    for key in keys:
        np.testing.assert_array_equal(tight.values(key, selections), expected[key])
        ((kept, stack),) = tight.stacks(key, selections)
        assert kept == selections
        np.testing.assert_array_equal(stack, expected[key])


def test_large_values_are_stacked_for_those_who_ask_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    selections = [*map(select, range(len(MOVED)))]
    expected = Scenarios(two_layers(), MOVED).values("dL_dW1", selections)
    monkeypatch.setattr(node, "MAX_STACKED_SIZE", 0)
    np.testing.assert_array_equal(Scenarios(two_layers(), MOVED).stacks("dL_dW1", selections)[0][1], expected)


def test_stacks_are_of_one_shape_each_in_the_order_of_the_choices() -> None:
    rows = (replace_rule("grad_bias", lambda context, grad, bias, l2_coefficient: grad, reshapes=everywhere),)
    total = (
        replace_rule(
            "grad_bias",
            lambda context, grad, bias, l2_coefficient: np.asarray(grad.sum(axis=(-2, -1))),
            reshapes=everywhere,
        ),
    )
    scenarios = Scenarios(two_layers(), [rows, total, scaled("divisor", 2.0)])
    selections = [select(0, 2), select(1), NO_VARIANTS, select(0), select(2), select(1, 2)]
    found = [(kept, stack.shape) for kept, stack in scenarios.stacks("dL_db1", selections)]
    by_rows, by_total, usual = [select(0, 2), select(0)], [select(1), select(1, 2)], [NO_VARIANTS, select(2)]
    assert found == [(by_rows, (2, 3, 3)), (by_total, (2,)), (usual, (2, 3))]
    for kept, stack in scenarios.stacks("dL_db1", selections):
        np.testing.assert_array_equal(stack, [scenarios.value("dL_db1", selection) for selection in kept])
    ((kept, _),) = scenarios.stacks("dL_db1", selections, fits=lambda shape: shape == (3,))
    assert kept == usual
    ((kept, _),) = scenarios.stacks("dL_db1", selections, fits=lambda shape: not shape)
    assert kept == by_total


@pytest.mark.parametrize("large", [0, 2048])
def test_a_factor_is_put_on_what_a_step_is_whatever_its_shape(large: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node, "MAX_STACKED_SIZE", large)
    monkeypatch.setattr(runs, "MAX_STACKED_SIZE", large)
    rows = (replace_rule("grad_bias", lambda context, grad, bias, l2_coefficient: grad, reshapes=everywhere),)
    factors = [(scale_rule("grad_bias", factor),) for factor in (2.0, -0.5)]
    variants = [rows, *factors, *(variant for variant in MOVED if variant[0].rule != "grad_bias")]
    scenarios = Scenarios(two_layers(), variants)
    others = [NO_VARIANTS, select(0), *map(select, range(3, len(variants)))]
    for factor, scaling in ((2.0, select(1)), (-0.5, select(2)), (-1.0, select(1, 2))):
        for value, bare in zip(
            scenarios.values("dL_db1", [join((scaling, other)) for other in others]),
            scenarios.values("dL_db1", others),
            strict=True,
        ):
            np.testing.assert_array_equal(value, factor * bare)


def test_a_factor_that_is_put_upstream_as_well_is_put_twice() -> None:
    twice = [scale_rule("grad_bias", 2.0), scale_rule("logits_gradient", 3.0)]
    scenarios = Scenarios(two_layers(), [twice, *MOVED])
    np.testing.assert_allclose(scenarios.value("dL_db1", select(0)), 6.0 * scenarios.value("dL_db1"), rtol=1e-15)


def test_of_no_selections_there_are_no_values() -> None:
    scenarios = Scenarios(two_layers())
    assert scenarios.values("A2", []) == []
    assert scenarios.stacks("A2", []) == []


def test_what_takes_another_shape_is_no_number() -> None:
    # the gradients of the samples, one each, where the next step takes their sum
    apart = replace_rule(
        "grad_weights",
        lambda context, inputs, grad, *others: inputs[..., :, None] * grad[..., None, :],
        reshapes=everywhere,
    )
    stepped = replace_rule(
        "grad_inputs",
        lambda context, grad, weights, grad_weights: grad @ (weights - grad_weights).mT,
        extra=("dL_dW{l}",),
    )
    scenarios = Scenarios(two_layers(), [[apart], [stepped]])
    assert scenarios.value("dL_dW2", select(0)).shape == (3, 3, 2)
    assert np.isnan(scenarios.value("dL_dA1", select(0, 1)))
    assert np.isfinite(scenarios.value("dL_dA1", select(1))).all()
    ((kept, _),) = scenarios.stacks("dL_dA1", [select(0), select(1), select(0, 1)], fits=lambda shape: shape == (3, 3))
    assert kept == [select(0), select(1)]


def test_what_is_computed_exactly_is_taken_over() -> None:
    problem = two_layers()
    exact = Scenarios(problem)
    found = exact.value("dL_dZ1")
    scenarios = Scenarios(problem, MOVED, exact=exact)
    assert scenarios.value("dL_dZ1") is found
    np.testing.assert_array_equal(scenarios.value("dL_dW1"), exact.value("dL_dW1"))


def test_what_starts_from_given_values_takes_nothing_over() -> None:
    problem, given = two_layers(), {"Z1": np.ones((3, 3))}
    exact = Scenarios(problem)
    assert not np.array_equal(exact.value("A2"), Scenarios(problem, given=given).value("A2"))
    np.testing.assert_array_equal(
        Scenarios(problem, given=given, exact=exact).value("A2"), Scenarios(problem, given=given).value("A2")
    )
