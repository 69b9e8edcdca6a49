"""Worked solutions: every formula and every number that is printed, read again and computed anew."""

import itertools
import math
from collections.abc import Mapping

import numpy as np
import pytest

from core.arrays import Array
from core.errors import TooLargeError
from core.formulas import (
    Apply,
    Expression,
    Name,
    Number,
    compile_formula,
    lift,
    lower,
    names_in,
    parse_formula,
    value_of_entry,
    write_entry,
)
from core.problem import Problem
from core.propagation import gradient_names
from core.quantities import parse_quantity, public_name
from core.solutions import SolutionStep, WorkedSolution, solve_problem
from core.steps import evaluate
from tests.support.problems import random_problem

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
                computed = lower(step.quantity.replace("_d", "/d", 1), computed)
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
            np.testing.assert_array_equal(steps[public_name(key, problem)].value, truth)  # type: ignore[arg-type]
    assert n_bounded > 0.98 * n_entries
