"""Rules in a problem's own names: printed, read again and computed, they are what the table computes."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from core.arrays import Array
from core.conventions import L2, Conventions
from core.errors import TooLargeError, UnknownNameError
from core.formulas import (
    Expression,
    axes_lacking,
    compile_bound,
    compile_formula,
    lift,
    names_in,
    parse_formula,
    to_text,
)
from core.formulas.symbols import CONSTANTS
from core.problem import Layer, Network, Problem
from core.steps import Step, evaluate, sources_of, steps_of, structure_of
from core.steps.naming import MAX_TERMS, formula_of, symbol_of_quantity, values_of_names
from tests.support.float_rounding import FLOAT, has_twelve_digits, is_explained
from tests.support.problems import random_problem, two_layers


def named_steps(problem: Problem) -> list[Step]:
    """List the steps whose formula people are shown."""
    return [step for step in steps_of(structure_of(problem)) if step.rule.formula]


def compute(problem: Problem, key: str, formula: Expression) -> tuple[Array, Array]:
    """Compute a formula from what its names stand for, and follow float64's rounding of them."""
    values, axes = values_of_names(problem, formula), tuple(axes_lacking(formula))
    assert set(values) == set(names_in(formula)) - set(CONSTANTS)
    lifted = [lift(name, value) for name, value in values.items()]
    errors = [lift(name, FLOAT.of(value)) for name, value in values.items()]
    with np.errstate(all="ignore"):
        value = compile_formula(formula, list(values))(*lifted)
        followed = compile_bound(formula, list(values))(FLOAT.of, lifted, errors)
    return np.atleast_2d(value).squeeze(axes), np.atleast_2d(0.0 if followed is None else followed).squeeze(axes)


@pytest.mark.long
def test_a_printed_formula_read_again_gives_the_value() -> None:
    compared: Counter[str] = Counter()
    exact_entries: Counter[str] = Counter()
    for seed in range(500):
        problem = random_problem(seed)
        names = {symbol_of_quantity(problem, name) for name in sources_of(problem)} | {"Y", "N"} | set(CONSTANTS)
        for step in named_steps(problem):
            names.add(symbol_of_quantity(problem, step.output))
        for step in named_steps(problem):
            formula = parse_formula(to_text(formula_of(problem, step.output)))
            assert set(names_in(formula)) <= names, (seed, step.output)
            exact = evaluate(problem, [step.output])[step.output]
            found, followed = compute(problem, step.output, formula)
            assert found.shape == exact.shape, (seed, step.output)
            assert is_explained(found, exact, followed), (seed, step.output, to_text(formula))
            compared[step.rule.name] += exact.size
            exact_entries[step.rule.name] += int(has_twelve_digits(found, exact).sum())
    assert min(exact_entries[name] / compared[name] for name in compared) > 0.98


def texts(problem: Problem, *keys: str) -> list[str]:
    return [to_text(formula_of(problem, key)) for key in keys]


def test_formulas_have_a_problems_names_and_nothing_that_it_lacks() -> None:
    problem = two_layers()
    assert texts(problem, "Z1", "A1", "Z2", "losses", "L", "dL_dZ2", "dL_dW2", "dL_db1", "dL_dA1", "dL_dX") == [
        "X·W1 + b1",
        "tanh(Z1)",
        "A1·W2",
        "−sum_outputs(Y∘ln(S))",
        "−sum(Y∘ln(S))/N",
        "(S − Y)/N",
        "A1ᵀ·dL/dZ2",
        "sum_samples(dL/dZ1)",
        "dL/dZ2·W2ᵀ",
        "dL/dZ1·W1ᵀ",
    ]


@pytest.mark.parametrize(
    ("conventions", "key", "text"),
    [
        (Conventions(reduction="sum"), "L", "−sum(Y∘ln(S))"),
        (Conventions(reduction="sum"), "dL_dZ2", "S − Y"),
        (Conventions(log_base=2), "losses", "−sum_outputs(Y∘ln(S))/ln(2)"),
        (Conventions(log_base=10), "dL_dZ2", "(S − Y)/(N·ln(10))"),
        (Conventions(l2=L2(strength=0.1)), "dL_dW2", "A1ᵀ·dL/dZ2 + 0.1·W2"),
        (Conventions(l2=L2(strength=0.1)), "dL_db1", "sum_samples(dL/dZ1)"),
        (Conventions(l2=L2(strength=0.1, biases=True)), "dL_db1", "sum_samples(dL/dZ1) + 0.1·b1"),
        (Conventions(l2=L2(strength=0.1)), "L", "−sum(Y∘ln(S))/N + 0.05·sum(W1²) + 0.05·sum(W2²)"),
        (
            Conventions(l2=L2(strength=0.1, biases=True), reduction="sum"),
            "L",
            "−sum(Y∘ln(S)) + 0.05·sum(W1²) + 0.05·sum(W2²) + 0.05·sum(b1²)",
        ),
    ],
)
def test_conventions_show_where_they_enter(conventions: Conventions, key: str, text: str) -> None:
    assert texts(replace(two_layers(), conventions=conventions), key) == [text]


def deep(n_layers: int, strength: float) -> Problem:
    layer = Layer(weights=np.eye(2), bias=np.zeros(2), activation="identity")
    return Problem(
        network=Network(layers=(layer,) * n_layers),
        inputs=np.ones((1, 2)),
        targets=np.ones((1, 2)),
        loss="squared_error",
        conventions=Conventions(l2=L2(strength=strength, biases=True), reduction="sum"),
    )


def test_a_deep_network_is_written_as_long_as_it_can_be_read() -> None:
    problem = deep(MAX_TERMS, 0.12345678901234567)
    formula = formula_of(problem, "L")
    assert parse_formula(to_text(formula)) == formula
    assert set(names_in(formula)) >= {f"W{MAX_TERMS}", f"b{MAX_TERMS}"}
    with pytest.raises(TooLargeError, match=rf"{MAX_TERMS + 1} layers"):
        formula_of(deep(MAX_TERMS + 1, 0.1), "L")


def test_a_deeper_network_without_a_penalty_is_written() -> None:
    assert texts(deep(2_000, 0.0), "L", "dL_dW1999") == ["sum((A2000 − Y)²)", "A1998ᵀ·dL/dZ1999"]


def test_a_single_layer_has_no_number_and_the_loss_keeps_its_name() -> None:
    problem = two_layers()
    single = replace(problem, network=Network(layers=problem.network.layers[1:]), inputs=np.ones((3, 3)))
    names = [symbol_of_quantity(single, key) for key in ("losses", "L", "A1", "dL_dW1", "weights_penalty")]
    assert names == ["losses", "L", "S", "dL/dW", "weights_penalty"]
    assert texts(single, "A1", "L") == ["e^Z/sum_outputs(e^Z)", "−sum(Y∘ln(S))/N"]


def test_what_no_step_computes_has_no_formula() -> None:
    with pytest.raises(UnknownNameError, match="dL_dW3"):
        formula_of(two_layers(), "dL_dW3")
    with pytest.raises(UnknownNameError):
        formula_of(two_layers(loss=None), "L")
