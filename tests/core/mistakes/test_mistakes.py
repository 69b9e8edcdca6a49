"""The catalogue of mistakes: what every entry has, that it shows somewhere, and where it cannot be made."""

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from core.arrays import Array
from core.conventions import COLUMN_ORDERS, L2_FACTORS, LOG_BASES, REDUCTIONS, RELU_SLOPES
from core.mistakes import MISTAKES, Mistake
from core.problem import Problem
from core.quantities import Quantity
from core.scenarios import Scenarios, select
from core.steps import RULES, Change
from tests.support.named_problems import PROBLEMS
from tests.support.problems import numbered_quantities

each_mistake = pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)

LOCAL = {f"d{rule.output}_d{template}" for rule in RULES.values() for template in rule.jacobians}


SHOWS_ANYWAY = {
    # averaging a sum's gradients is averaged_over_batch
    "averaged_twice": frozenset({"sum"}),
    # of one sample, or one output, the shape alone differs
    **dict.fromkeys(("bias_summed_over_all", "jacobian_columns_added"), frozenset({"one output"})),
    **dict.fromkeys(("losses_not_reduced", "samples_not_summed", "bias_not_summed"), frozenset({"one sample"})),
    # numbers that are no labels
    "label_shifted": frozenset({"distributions", "squared error", "mean over entries"}),
    # a squared error over ln 2
    **dict.fromkeys(("log_base_2", "log_base_10"), frozenset({"squared error", "mean over entries"})),
    # the penalty's gradient where there is no penalty is 0 everywhere
    "l2_only": frozenset(
        name for name, problem in PROBLEMS.items() if problem.loss and not problem.conventions.l2.strength
    ),
}
"""Where a mistake's ways make a difference though it is not said to apply."""


def quantities(problem: Problem) -> list[Quantity]:
    """List all that can be asked for."""
    computed, pairs = numbered_quantities(problem)
    return [*(Quantity(node) for node in computed), *(Quantity(of, by) for of, by in pairs)]


def changes(mistake: Mistake) -> Iterator[Change]:
    """List the changes of all ways."""
    return (change for way in mistake.variants for change in way)


def differs(value: Array | None, truth: Array) -> bool:
    """Tell whether something else would be handed in."""
    if value is None:
        return False
    return value.shape != truth.shape or not np.allclose(value, truth, rtol=1e-9, atol=1e-12)


def showing(mistake: Mistake, problem: Problem) -> set[str]:
    """Name the quantities of a problem in which some way or transform makes a difference."""
    scenarios, found = Scenarios(problem, mistake.variants), set()
    for quantity in quantities(problem):
        truth = scenarios.value(quantity.key)
        answers: list[Array | None] = [
            scenarios.value(quantity.key, select(bit)) for bit in range(len(mistake.variants))
        ]
        for transform in mistake.transforms:
            answers += [transform.apply(problem, quantity, truth, number) for number in transform.examples]
        if any(differs(answer, truth) for answer in answers):
            found.add(quantity.key)
    return found


@each_mistake
def test_every_entry_says_what_it_is(mistake: Mistake) -> None:
    assert all((mistake.name, mistake.family, mistake.produces, mistake.message))
    assert re.fullmatch("[a-z][a-z0-9_]*", mistake.name)
    assert mistake.variants or mistake.transforms
    assert all(mistake.variants)


@each_mistake
def test_every_change_is_of_a_rule_or_a_local_jacobian_that_there_is(mistake: Mistake) -> None:
    assert {change.rule for change in changes(mistake)} <= {*RULES, *LOCAL}


@each_mistake
def test_no_way_replaces_one_step_twice(mistake: Mistake) -> None:
    for way in mistake.variants:
        replaced = [change.rule for change in way if change.replaces]
        assert len(replaced) == len(set(replaced))


@each_mistake
def test_every_way_and_transform_shows_in_some_problem_where_it_applies(mistake: Mistake) -> None:
    fitting = [problem for problem in PROBLEMS.values() if mistake.applies(problem)]
    assert fitting
    alone = [replace(mistake, variants=(way,), transforms=()) for way in mistake.variants]
    alone += [replace(mistake, variants=(), transforms=(transform,)) for transform in mistake.transforms]
    for single in alone:
        assert any(showing(single, problem) for problem in fitting)


@each_mistake
def test_a_mistake_makes_no_difference_where_it_does_not_apply(mistake: Mistake) -> None:
    by_ways = replace(mistake, transforms=())
    others = {name for name, problem in PROBLEMS.items() if not mistake.applies(problem)}
    assert {name for name in others if showing(by_ways, PROBLEMS[name])} == SHOWS_ANYWAY.get(mistake.name, set())


@each_mistake
def test_a_mistake_says_of_every_problem_whether_it_applies(mistake: Mistake) -> None:
    assert {type(mistake.applies(problem)) for problem in PROBLEMS.values()} == {bool}


@pytest.mark.parametrize(
    ("mistake", "name", "applies"),
    [
        ("summed_over_batch", "plain", True),
        ("summed_over_batch", "sum", False),
        ("summed_over_batch", "one sample", False),
        ("averaged_over_batch", "sum", True),
        ("averaged_over_batch", "plain", False),
        ("averaged_over_all_entries", "one output", False),
        ("log_base_2", "base 10", True),
        ("log_base_2", "base 2", False),
        ("log_base_2", "squared error", False),
        ("natural_logarithm", "base 10", True),
        ("natural_logarithm", "plain", False),
        ("softmax_over_all", "one sample", False),
        ("softmax_twice", "sigmoid", False),
        ("overflowed", "large logits", True),
        ("overflowed", "plain", False),
        ("label_shifted", "distributions", False),
        ("bias_ignored", "no biases", False),
        ("bias_averaged", "one sample", False),
        ("summed_over_batch", "mean over entries", True),
        ("averaged_over_batch", "mean over entries", True),
        ("averaged_over_all_entries", "mean over entries", False),
        ("averaged_over_all_entries", "squared error", True),
        ("l2_averaged", "L2 per sample", False),
        ("l2_not_averaged", "L2 per sample", True),
        ("l2_not_averaged", "L2", False),
        ("flattened_rows_first", "rows first", False),
        ("flattened_columns_first", "rows first", True),
        ("flattened_columns_first", "plain", False),
        ("l2_missing", "plain", False),
        ("l2_on_bias", "L2", True),
        ("l2_on_bias", "L2 with biases", False),
        ("l2_not_on_bias", "L2 with biases", True),
        ("l2_not_on_bias", "L2", False),
    ],
)
def test_where_mistakes_apply(mistake: str, name: str, *, applies: bool) -> None:
    assert MISTAKES[mistake].applies(PROBLEMS[name]) is applies


CHOICES: dict[str, tuple[str | float, ...]] = {
    "reduction": tuple(REDUCTIONS),
    "log_base": tuple(LOG_BASES),
    "l2.factor": L2_FACTORS,
    "l2.per_sample": (True, False),
    "column_order": tuple(COLUMN_ORDERS),
    "relu_at_zero": RELU_SLOPES,
}


def test_every_choice_that_a_convention_has_is_a_mistake_where_another_is_stated() -> None:
    switches = {change.switch for mistake in MISTAKES.values() for change in changes(mistake) if change.switch}
    assert switches == {(key, value) for key, values in CHOICES.items() for value in values}


@each_mistake
def test_a_way_is_of_one_convention_or_of_none(mistake: Mistake) -> None:
    assert all(len({change.switch for change in way}) == 1 for way in mistake.variants)


@pytest.mark.parametrize("name", ["square", "sigmoid", "hidden softmax", "L2 with biases", "squared error"])
def test_any_two_ways_together_give_numbers_or_nan(name: str) -> None:
    problem = PROBLEMS[name]
    ways = [way for mistake in MISTAKES.values() if mistake.applies(problem) for way in mistake.variants]
    scenarios = Scenarios(problem, ways)
    choices = [select(*both) for both in combinations(range(len(ways)), 2)]
    last = f"A{problem.network.depth}"
    for key in ("L", "dL_dW1", "dL_db1", "dL_dX", f"d{last}_dW1", f"d{last}_dX"):
        # none raises, whatever the shapes
        assert all(value.dtype == np.float64 for value in scenarios.values(key, choices))
