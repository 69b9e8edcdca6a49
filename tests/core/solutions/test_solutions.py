"""Worked solutions: every formula and every number that is printed, read again and computed anew."""

import itertools
import math
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from core.activations import ACTIVATIONS
from core.arrays import Array
from core.budget import Budget
from core.conventions import Conventions
from core.errors import CoreError, DomainError, NonFiniteError, TooLargeError, UnknownNameError
from core.formulas import (
    Apply,
    Expression,
    Name,
    Number,
    axes_lacking,
    compile_formula,
    lift,
    names_in,
    parse_formula,
    value_of_entry,
    write_entry,
)
from core.invariants import INVARIANTS
from core.problem import Layer, Network, Problem
from core.propagation import gradient_names
from core.quantities import parse_quantity, public_name, to_quantity
from core.solutions import SolutionStep, WorkedSolution, solve_problem
from core.solutions.lines import lines_for
from core.solutions.worked import _StepWriter
from core.steps import evaluate
from tests.support.problems import random_problem, two_layers

DECIMALS = 4
Interval = tuple[float, float]
EVERYWHERE: Interval = (-math.inf, math.inf)


def bounds_of(written: Expression, radius: float) -> Interval:
    """Return what an expression can be where each of its numbers may be off by a radius."""
    if isinstance(written, Number):
        return written.value - radius, written.value + radius
    if isinstance(written, Name):
        return math.pi, math.pi
    if written.operation == "power":
        low, high = bounds_of(written.operands[0], radius)
        return (0.0 if low <= 0.0 <= high else min(low * low, high * high)), max(low * low, high * high)
    operands = [bounds_of(operand, radius) for operand in written.operands]
    if written.operation in {"greater", "at_least"}:
        [(low, high), _] = operands
        return (1.0, 1.0) if low > radius else (0.0, 0.0) if high < -radius else (0.0, 1.0)
    if written.operation == "divide" and operands[1][0] <= 0.0 <= operands[1][1]:
        return EVERYWHERE
    if written.operation == "ln":
        operands = [(max(low, 0.0), high) for low, high in operands]
    # each of them is monotonic in each operand, so the extremes lie in the corners
    with np.errstate(all="ignore"):
        apply = compile_formula(
            Apply(written.operation, tuple(Name(f"k{place}") for place, _ in enumerate(operands))),
            [f"k{place}" for place, _ in enumerate(operands)],
        )
        corners = [float(apply(*(np.float64(corner) for corner in some))) for some in itertools.product(*operands)]
    return (min(corners), max(corners)) if np.isfinite(corners).all() else EVERYWHERE


def solve(problem: Problem, quantities: list[str]) -> WorkedSolution:
    """Solve for the loss as well, where it is not too long to write."""
    try:
        return solve_problem(problem, ("L", *quantities))
    except TooLargeError:
        return solve_problem(problem, tuple(quantities))


def values_of(problem: Problem, step: SolutionStep, steps: Mapping[str, SolutionStep]) -> dict[str, Array]:
    """Find what the names of a step's formula stand for: earlier steps, and the problem's own arrays."""
    found: dict[str, Array] = {}
    network = problem.network
    is_one_layer = network.depth == 1
    for number, layer in enumerate(network.layers, start=1):
        found["W" if is_one_layer else f"W{number}"] = layer.weights
        if layer.bias is not None:
            found["b" if is_one_layer else f"b{number}"] = layer.bias
    reductions = {"mean": problem.n_samples, "sum": 1, "mean_over_entries": problem.n_samples * problem.n_out}
    found["N"] = np.array(float(reductions[problem.conventions.reduction]))
    found["X"] = problem.inputs
    found["Y"] = problem.target_distribution()
    for id_, one in steps.items():
        if one.value is not None:
            found[id_.replace("_d", "/d", 1)] = one.value
    quantity = parse_quantity(step.quantity, problem)
    if quantity.is_jacobian:
        found |= {name.lower(): array[..., None] for name, array in found.items() if name[0] in "XZAS"}
        found["I"] = np.eye(step.shape[1])
    return {name: found[name] for name in names_in(parse_formula(step.formula)) if name != "π"}


@pytest.mark.parametrize("first", range(0, 200, 20))
def test_every_printed_formula_and_number_gives_the_value_again(first: int) -> None:
    n_bounded = n_entries = 0
    for seed in range(first, first + 20):
        problem = random_problem(seed)
        depth = problem.network.depth
        jacobians = [f"dA{depth}_d{by}" for by in ("W1", f"Z{depth}", "X")]
        jacobians += ["dZ1_db1"] if problem.network.layers[0].bias is not None else []
        wanted = [*gradient_names(problem), *jacobians]
        solution = solve(problem, [public_name(key, problem) for key in wanted])
        steps: dict[str, SolutionStep] = {}
        for step in solution.steps:
            where = f"seed {seed}, {step.quantity} = {step.formula}"
            assert step.value is not None
            assert step.entry is not None
            assert step.checks is not None
            formula, values = parse_formula(step.formula), values_of(problem, step, steps)
            scale = max(float(np.abs(step.value).max()), 1e-300)
            if "activation" in step.rule:
                # textbooks write 1 + erf and 1 − A, which lose digits in the tails that the value keeps
                scale = max(scale, *(float(np.abs(value).max()) for value in values.values()))
            is_jacobian = step.value.ndim == 3
            lifted = list(values.values()) if is_jacobian else [lift(name, value) for name, value in values.items()]
            computed = np.asarray(compile_formula(formula, list(values))(*lifted))
            if not is_jacobian:
                computed = computed.squeeze(tuple(axes_lacking(formula))) if computed.ndim else computed
            np.testing.assert_allclose(
                np.broadcast_to(computed, step.shape), step.value, rtol=0, atol=1e-12 * scale, err_msg=where
            )
            index = step.entry.index
            assert step.entry.value == step.value[index]
            assert abs(step.entry.value) == np.abs(step.value).max()
            text = step.entry.text.partition(" = ")[0]
            read = parse_formula(text)
            radius = 0.5 * 10.0**-DECIMALS * (1.0 + 1e-9)
            low, high = bounds_of(read, radius)
            assert low - 1e-12 * scale <= step.entry.value <= high + 1e-12 * scale, f"{where}: {text}"
            n_entries += 1
            n_bounded += math.isfinite(low) and math.isfinite(high)
            printed = value_of_entry(parse_formula(step.entry.text.partition(" = ")[2] or text))
            assert abs(printed - step.entry.value) <= radius, where
            # with all digits
            place = (0, 0, *index)[-2:]
            of_sample = {name: a[index[0]] if a.ndim == 3 else a for name, a in values.items()}
            exact = write_entry(formula, (place[0], place[1]), of_sample if is_jacobian else values)
            assert abs(value_of_entry(exact) - step.entry.value) <= 1e-12 * scale, where
            assert all(check.holds for check in step.checks), where
            steps[step.quantity] = step
        truths = evaluate(problem, gradient_names(problem))
        for key, truth in truths.items():
            found = steps[public_name(key, problem)].value
            assert found is not None
            # which steps are joined depends on what is asked for together
            np.testing.assert_allclose(found, truth, rtol=0, atol=1e-12 * np.abs(truth).max())
    assert n_bounded > 0.98 * n_entries


HAND = Problem(
    network=Network(
        layers=(Layer(weights=np.array([[0.5, -1.0], [0.3, 0.25]]), bias=np.array([0.1, 0.0]), activation="softmax"),)
    ),
    inputs=np.array([[1.0, 2.0]]),
    targets=np.array([1]),
    loss="cross_entropy",
)


def step_of(solution: WorkedSolution, quantity: str) -> SolutionStep:
    """Find the step of a quantity."""
    [step] = [step for step in solution.steps if step.quantity == quantity]
    return step


def test_a_step_says_everything_in_this_problems_own_names_and_numbers() -> None:
    solution = solve_problem(HAND)
    assert [step.quantity for step in solution.steps] == ["Z", "S", "dL_dZ", "dL_dW", "dL_db"]
    step = step_of(solution, "Z")
    assert (step.formula, step.latex) == ("X·W + b", "Z = X W + b")
    assert (step.inputs, step.rule, step.shape) == (("X", "W", "b"), "affine", (1, 2))
    assert step.shapes == {"X": (1, 2), "W": (2, 2), "b": (2,)}
    assert step.entry is not None
    assert (step.entry.index, step.entry.text) == ((0, 0), "1·0.5 + 2·0.3 + 0.1 = 1.2")
    gradient = step_of(solution, "dL_dW")
    assert gradient.formula == "Xᵀ·dL/dZ"
    assert gradient.shapes == {"Xᵀ": (2, 1), "dL/dZ": (1, 2)}
    assert gradient.inputs == ("X", "dL_dZ")
    assert {check.name for check in gradient.checks or ()} == {
        "shapes",
        "shape_of_gradient",
        "weights_gradient_rows_sum_to_zero",
    }


def test_ids_are_spelt_as_asked_and_entries_and_decimals_are_those_stated() -> None:
    solution = solve_problem(HAND, ("dL_dW1", "S"), entry={"Z1": (0, 1), "dL_dW": (1, 0)}, decimals=2)
    assert [step.quantity for step in solution.steps] == ["Z", "S", "dL_dZ", "dL_dW1"]
    assert step_of(solution, "dL_dW1").inputs == ("X", "dL_dZ")
    written = [step_of(solution, name).entry for name in ("Z", "dL_dW1")]
    assert [entry and entry.index for entry in written] == [(0, 1), (1, 0)]
    assert [entry and entry.text for entry in written] == ["1·(−1) + 2·0.25 + 0 = −0.5", "2·0.85 = 1.69"]


def test_the_loss_and_a_jacobian_are_steps_like_others() -> None:
    solution = solve_problem(HAND, ("L", "dS_dW"))
    assert [step.quantity for step in solution.steps] == ["Z", "S", "L", "dS_dZ", "dZ_dW", "dS_dW"]
    formulas = {step.quantity: step.formula for step in solution.steps}
    assert formulas["dS_dZ"] == "diag(s) − s·sᵀ"
    assert formulas["dZ_dW"] == "I⊗xᵀ"
    assert formulas["dS_dW"] == "dS/dZ·dZ/dW"
    loss = step_of(solution, "L").entry
    assert loss is not None
    assert (loss.index, loss.text) == ((), "−(0·ln(0.8455) + 1·ln(0.1545)) = 1.8678")
    by_rows = solve_problem(replace(HAND, conventions=Conventions(column_order="rows_first")), ("dZ_dW",))
    assert step_of(by_rows, "dZ_dW").formula == "xᵀ⊗I"


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_has_a_local_jacobian_without_functions_that_have_no_name(activation: str) -> None:
    layer = Layer(weights=np.array([[0.5, -1.0], [0.3, 0.25]]), activation=activation)
    problem = replace(two_layers(loss=None), network=Network(layers=(layer,)))
    [*_, step] = solve_problem(problem, ("dA_dZ" if activation != "softmax" else "dS_dZ",)).steps
    names = set(names_in(parse_formula(step.formula)))
    assert names <= {"z", "a", "s", "I", "π"}


def test_the_text_holds_every_step_with_its_formula_reason_and_entry() -> None:
    solution = solve_problem(two_layers(l2=0.1), ("dL_dW1", "dS_dX"), with_derivation=True)
    for step in solution.steps:
        assert step.entry is not None
        for part in (f"`{step.quantity}`", step.title, step.latex, step.why, step.entry.text):
            assert part in solution.text
    assert solution.derivation is not None
    for one in solution.derivation.steps:
        assert one.text in solution.text
        assert one.latex in solution.text
    assert "Does not hold" not in solution.text


HAND_TARGETS = np.array([1] * 150)
LONG = Problem(network=Network(layers=(Layer(weights=np.ones((150, 2)), activation="tanh"),)), inputs=np.ones((1, 150)))
DIGITS = Problem(
    network=Network(layers=(Layer(weights=np.full((98, 1), math.pi * 1e9), activation="tanh"),)),
    inputs=np.full((1, 98), -math.pi * 1e9),
)
WIDE = Problem(network=Network(layers=(Layer(weights=np.ones((2, 2)), activation="tanh"),)), inputs=np.ones((9000, 2)))
DEEP = replace(WIDE, network=Network(layers=WIDE.network.layers * 40), inputs=np.ones((1, 2)))
TALL = replace(WIDE, network=Network(layers=WIDE.network.layers * 32), inputs=np.ones((1, 2)))
ALL_JACOBIANS = tuple(f"dA{of}_dW{by}" for of in range(1, 33) for by in range(1, of + 1))
STEEP = replace(HAND, network=Network(layers=(replace(HAND.network.layers[0], weights=np.diag([900.0, -900.0])),)))
HUGE = replace(HAND, network=STEEP.network, inputs=np.full((1, 2), 1e307))


@pytest.mark.parametrize(
    ("problem", "options", "error", "path"),
    [
        (HAND, {"quantities": ("dL_dW", "Z2")}, UnknownNameError, ("quantities", 1)),
        (HAND, {"quantities": ("dL_dW", "dL_dW1")}, DomainError, ("quantities", 1)),
        (two_layers(loss=None), {}, DomainError, ("quantities",)),
        (HAND, {"decimals": -1}, DomainError, ("decimals",)),
        (HAND, {"decimals": 11}, DomainError, ("decimals",)),
        (HAND, {"entry": {"Z": (0, 2)}}, DomainError, ("entry", "Z")),
        (HAND, {"entry": {"Z": (-1, 0)}}, DomainError, ("entry", "Z")),
        (HAND, {"entry": {"Z": (0,)}}, DomainError, ("entry", "Z")),
        (HAND, {"entry": {"dS_dZ": (0, 0, 0)}}, DomainError, ("entry", "dS_dZ")),
        (HAND, {"entry": {"Z": (0, 0), "Z1": (0, 0)}}, DomainError, ("entry", "Z1")),
        (HAND, {"entry": {"Q": (0, 0)}}, UnknownNameError, ("entry", "Q")),
        (two_layers(activation="tanh", loss="squared_error"), {"with_derivation": True}, DomainError, ("derive",)),
        (two_layers(loss=None), {"quantities": ("Z1",), "with_derivation": True}, DomainError, ("derive",)),
        (LONG, {"quantities": ("Z",)}, TooLargeError, ("problem",)),
        (DIGITS, {"quantities": ("Z",), "decimals": 10}, TooLargeError, ("problem",)),
        (replace(HAND, inputs=HAND.inputs.repeat(150, 0), targets=HAND_TARGETS), {}, TooLargeError, ("problem",)),
        (WIDE, {"quantities": ("A",)}, TooLargeError, ("problem",)),
        (DEEP, {"quantities": ("Z1",)}, TooLargeError, ("problem", "network", "layers")),
        (TALL, {"quantities": ALL_JACOBIANS}, TooLargeError, ("quantities",)),
        (HAND, {"budget": Budget(numbers=3)}, TooLargeError, ("problem",)),
        (STEEP, {"quantities": ("Z", "dL_dS")}, NonFiniteError, ("quantities", 1)),
        (HUGE, {"quantities": ("Z", "dL_dS", "dS_dZ")}, NonFiniteError, ("quantities", 0)),
        (HUGE, {}, NonFiniteError, ()),
    ],
)
def test_what_cannot_be_written_out_is_refused_with_its_place(
    problem: Problem, options: dict[str, Any], error: type[CoreError], path: tuple[object, ...]
) -> None:
    with pytest.raises(error) as caught:
        solve_problem(problem, **options)
    assert caught.value.path == path


def test_a_product_that_overflows_is_refused_with_its_place() -> None:
    layer = Layer(weights=np.full((2, 2), 1e200), activation="identity")
    problem = Problem(network=Network(layers=(layer, layer)), inputs=np.full((1, 2), 1e-250))
    with pytest.raises(NonFiniteError) as caught:
        solve_problem(problem, ("A1", "dA2_dX"))
    assert caught.value.path == ("quantities", 1)


def test_an_entry_whose_numbers_do_not_fit_on_the_way_is_its_value_alone() -> None:
    solution = solve_problem(STEEP, ("S", "L"))
    texts = [entry.text for step in solution.steps if (entry := step.entry)]
    assert texts[1:] == ["1", "2700.1"]
    assert all(np.isfinite(step.value).all() for step in solution.steps if step.value is not None)


def test_an_entry_gets_as_many_decimals_as_it_takes_to_come_out_near_its_value() -> None:
    layer = Layer(weights=np.array([[1.0]]), activation="sigmoid")
    problem = Problem(
        network=Network(layers=(layer,)),
        inputs=np.array([[11.0]]),
        targets=np.array([[0.0]]),
        loss="binary_cross_entropy",
    )
    entry = step_of(solve_problem(problem, ("dL_dA",)), "dL_dA").entry
    assert entry is not None
    written, _, value = entry.text.partition(" = ")
    # 1 − A is 0 to four decimals
    assert value_of_entry(parse_formula(written)) == pytest.approx(entry.value, rel=0.01)
    assert float(value) == pytest.approx(math.exp(11.0) + 1.0, rel=1e-8)


def test_every_invariant_is_a_check_of_some_step_and_wrong_numbers_do_not_hold() -> None:
    solution = solve_problem(HAND, ("L", "dL_dW", "dL_db", "dS_dZ"))
    checks = [check for step in solution.steps for check in step.checks or ()]
    assert {check.name for check in checks} == set(INVARIANTS) | {"shapes", "shape_of_gradient"}
    assert all(check.holds for check in checks)
    known = {step.quantity: step.value for step in solution.steps}
    wrong = {"Z1": known["Z"], "A1": known["S"], "X": HAND.inputs, "L": known["L"], "y": np.array([[0.0, 1.0]])}
    wrong |= {"W1": HAND.network.layers[0].weights, "b1": HAND.network.layers[0].bias}
    wrong |= {f"dL_d{by}1": known[f"dL_d{by}"] for by in "ZWb"} | {"dA1_dZ1": known["dS_dZ"]}
    # one row too many, and numbers that no step gives
    changed = {
        key: np.concatenate([value, value]) - 9.0 for key, value in wrong.items() if value is not None and value.ndim
    }
    ids = {line.key: line.key for line in lines_for(HAND, map(to_quantity, ("L", "dL_dW1", "dL_db1", "dA1_dZ1")))}
    missed = set()
    for line in lines_for(HAND, map(to_quantity, ("L", "dL_dW1", "dL_db1", "dA1_dZ1"))):
        shown: dict[str, Any] = wrong | {line.key: changed.get(line.key, np.array(-9.0))}
        step = _StepWriter(HAND, shown, ids, 4).write(line, None)
        missed |= {check.name for check in step.checks or () if not check.holds}
    assert missed == {check.name for check in checks}


@pytest.mark.parametrize("right", [(), ("Z1",), ("S",), ("dL_dW2", "Z1"), ("dL_dW1", "dL_db1", "dL_dW2")])
def test_an_outline_goes_up_to_the_first_step_that_is_not_right_and_shows_no_number(right: tuple[str, ...]) -> None:
    solution = solve_problem(two_layers(), with_derivation=True)
    outline = solution.outline(right)
    shown = [step.quantity for step in outline.steps]
    whole = [step.quantity for step in solution.steps]
    expected = {(): 1, ("Z1",): 2, ("S",): 5, ("dL_dW2", "Z1"): 7, ("dL_dW1", "dL_db1", "dL_dW2"): len(whole)}
    assert shown == whole[: expected[right]]
    assert all((step.value, step.checks, step.entry) == (None, None, None) for step in outline.steps)
    assert all(step.formula and step.why and step.shapes for step in outline.steps)
    assert (outline.derivation is not None) == ("dL_dZ2" in shown)
    # shapes are all the numbers that there are
    assert not re.search(r"\d\.\d", outline.text)


@pytest.mark.parametrize(("reduction", "count"), [("sum", None), ("mean", 3), ("mean_over_entries", 6)])
def test_a_step_that_divides_by_n_says_how_many_that_are(reduction: str, count: int | None) -> None:
    problem = Problem(
        network=Network(layers=(Layer(weights=np.array([[0.5, -1.0]]), activation="tanh"),)),
        inputs=np.array([[1.0], [2.0], [-1.0]]),
        targets=np.zeros((3, 2)),
        loss="squared_error",
        conventions=Conventions(reduction=reduction),
    )
    steps = solve_problem(problem, ("L", "dL_dW")).steps
    said = {step.quantity: step.why for step in steps if re.search(r"\bN is \d", step.why)}
    assert set(said) == (set() if count is None else {"L", "dL_dA"})
    assert all(f"N is {count}." in why for why in said.values())


def test_an_entry_that_takes_more_digits_than_can_be_read_again_is_its_value_alone() -> None:
    rng = np.random.default_rng(99)
    inputs = rng.normal(size=(1, 99)) * 1e8
    weights = rng.normal(size=(99, 1))
    # large terms that nearly cancel
    weights += inputs.T * (1.0 - (inputs @ weights).item()) / (inputs @ inputs.T).item()
    problem = Problem(network=Network(layers=(Layer(weights=weights, activation="identity"),)), inputs=inputs)
    for decimals in (0, 2):
        [step] = solve_problem(problem, ("Z",), decimals=decimals).steps
        assert step.entry is not None
        assert step.entry.text == "1"
