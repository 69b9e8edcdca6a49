"""Every operation, against entry-by-entry arithmetic of its own, and against all corners of small errors."""

import math
from collections.abc import Callable, Sequence
from itertools import product

import numpy as np
import pytest
from mpmath import mp  # type: ignore[import-untyped]  # mpmath carries no types

from core.arrays import Array
from core.formulas import OPERATIONS, Apply, Name, compile_bound, compile_formula

Rows = list[list[float]]

each_operation = pytest.mark.parametrize("name", OPERATIONS)


def entrywise(function: Callable[..., float]) -> Callable[..., Rows]:
    """Apply a function of numbers to the entries at each place."""
    return lambda *arrays: [
        [float(function(*entries)) for entries in zip(*rows, strict=True)] for rows in zip(*arrays, strict=True)
    ]


def columns(a: Rows) -> Rows:
    return [list(column) for column in zip(*a, strict=True)]


def kron(a: Rows, b: Rows) -> Rows:
    return [[x * y for x in row for y in other] for row in a for other in b]


def by_columns(collect: Callable[[Sequence[float]], float]) -> Callable[[Rows], Rows]:
    return lambda a: [[collect(column) for column in columns(a)]]


def by_rows(collect: Callable[[Sequence[float]], float]) -> Callable[[Rows], Rows]:
    return lambda a: [[collect(row)] for row in a]


def of_all(collect: Callable[[Sequence[float]], float]) -> Callable[[Rows], Rows]:
    return lambda a: [[collect([entry for row in a for entry in row])]]


def mean(entries: Sequence[float]) -> float:
    return math.fsum(entries) / len(entries)


REFERENCES: dict[str, Callable[..., Rows]] = {
    "greater": entrywise(lambda a, b: a > b),
    "at_least": entrywise(lambda a, b: a >= b),
    "add": entrywise(lambda a, b: mp.mpf(a) + b),
    "subtract": entrywise(lambda a, b: mp.mpf(a) - b),
    "negate": entrywise(lambda a: -mp.mpf(a)),
    "product": lambda a, b: [[math.fsum(map(math.prod, zip(row, c, strict=True))) for c in columns(b)] for row in a],
    "scale": entrywise(lambda a, b: mp.mpf(a) * b),
    "multiply": entrywise(lambda a, b: mp.mpf(a) * b),
    "divide": entrywise(lambda a, b: mp.mpf(a) / b),
    "kron": kron,
    "power": entrywise(mp.power),
    "transpose": columns,
    "diag": lambda a: [[x if i == j else 0.0 for j in range(len(a))] for i, [x] in enumerate(a)],
    "abs": entrywise(lambda a: abs(mp.mpf(a))),
    "exp": entrywise(mp.exp),
    "ln": entrywise(mp.ln),
    "tanh": entrywise(mp.tanh),
    "erf": entrywise(mp.erf),
    "sqrt": entrywise(mp.sqrt),
    "max": entrywise(max),
    "sum_samples": by_columns(math.fsum),
    "sum_outputs": by_rows(math.fsum),
    "sum": of_all(math.fsum),
    "mean_samples": by_columns(mean),
    "mean_outputs": by_rows(mean),
    "mean": of_all(mean),
    "max_samples": by_columns(max),
    "max_outputs": by_rows(max),
    "first": lambda a: a[:1],
    "last": lambda a: a[-1:],
    "ones": entrywise(lambda a: 1.0),
    "onehot": lambda a: [[float(i == row.index(max(row))) for i in range(len(row))] for row in a],
}

SHAPES = {"product": ((2, 3), (3, 2)), "kron": ((2, 1), (2, 2)), "diag": ((3, 1),)}
"""Shapes of operands, where two rows of three will not do."""

POSITIVE = {"ln", "sqrt", "power"}


def operands_of(name: str, seed: int, *leading: int) -> list[Array]:
    """Draw operands of an operation."""
    rng = np.random.default_rng(seed)
    shapes = SHAPES.get(name, ((2, 3),) * OPERATIONS[name].n_operands)
    drawn = [rng.uniform(0.3 if name in POSITIVE else -2.0, 2.0, (*leading, *shape)) for shape in shapes]
    # no divisor near 0
    return [value + 0.5 * np.sign(value) for value in drawn] if name == "divide" else drawn


@each_operation
@pytest.mark.parametrize("seed", range(5))
def test_the_value_is_that_of_arithmetic_entry_by_entry(name: str, seed: int) -> None:
    operands = operands_of(name, seed)
    expected = np.array(REFERENCES[name](*(operand.tolist() for operand in operands)))
    found = OPERATIONS[name].value(*operands)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=1e-14, atol=1e-15)


@each_operation
def test_equal_entries_are_told_apart_as_the_reference_has_it(name: str) -> None:
    operands = [np.ones(operand.shape) for operand in operands_of(name, 0)]
    expected = REFERENCES[name](*(operand.tolist() for operand in operands))
    np.testing.assert_allclose(OPERATIONS[name].value(*operands), expected, rtol=1e-15)


@each_operation
def test_a_stack_gives_the_same_as_its_entries_one_by_one(name: str) -> None:
    stacks = operands_of(name, 1, 4)
    found = OPERATIONS[name].value(*stacks)
    for index in range(4):
        np.testing.assert_array_equal(found[index], OPERATIONS[name].value(*(stack[index] for stack in stacks)))
    # one operand may be the same in all cases
    if len(stacks) == 2:
        found = OPERATIONS[name].value(stacks[0], stacks[1][2])
        np.testing.assert_array_equal(found[1], OPERATIONS[name].value(stacks[0][1], stacks[1][2]))


@each_operation
def test_float32_stays_float32(name: str) -> None:
    operands = [operand.astype(np.float32) for operand in operands_of(name, 2)]
    assert OPERATIONS[name].value(*operands).dtype == np.float32


def test_a_factor_of_0_counts_nothing_whatever_the_other() -> None:
    for name in ("multiply", "scale"):
        zero, wild = np.array([[0.0, 0.0, 0.0, 2.0]]), np.array([[-np.inf, np.nan, np.inf, np.inf]])
        with np.errstate(invalid="ignore"):
            for found in (OPERATIONS[name].value(zero, wild), OPERATIONS[name].value(wild, zero)):
                np.testing.assert_array_equal(found, [[0.0, 0.0, 0.0, np.inf]])


def bound_of(name: str, operands: list[Array], errors: list[Array | None]) -> Array | None:
    """Follow errors of the operands through the operation alone: nothing is written down."""
    names = ["X", "Y"][: len(operands)]
    bound = compile_bound(Apply(name, tuple(map(Name, names))), names)
    return bound(lambda value, error: np.zeros(()), operands, errors)


def corners(name: str, operands: list[Array], errors: list[Array | None]) -> Array:
    """Return how far the result moves at most, entry by entry, over all combinations of signs of all errors."""
    value = OPERATIONS[name].value
    sizes = [0 if error is None else error.size for error in errors]
    worst = np.zeros(value(*operands).shape)
    for flat in product((-1.0, 1.0), repeat=sum(sizes)):
        signs = np.split(np.array(flat), np.cumsum(sizes)[:-1])
        moved = [
            operand if error is None else operand + sign.reshape(error.shape) * error
            for operand, error, sign in zip(operands, errors, signs, strict=True)
        ]
        worst = np.maximum(worst, np.abs(value(*moved) - value(*operands)))
    return worst


@each_operation
@pytest.mark.parametrize("seed", range(3))
def test_the_bound_is_reached_by_the_worst_corner_and_by_none_exceeded(name: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    operands = operands_of(name, seed)
    size = 1e-6
    drawn = [rng.uniform(0.1, 1.0, operand.shape) * size for operand in operands]
    for exact in product((False, True), repeat=len(operands)):
        errors = [None if is_exact else error for is_exact, error in zip(exact, drawn, strict=True)]
        bound = bound_of(name, operands, errors)
        if all(exact):
            assert bound is None
            continue
        assert bound is not None
        worst = corners(name, operands, errors)
        bound = np.broadcast_to(bound, worst.shape)
        # terms of second order are a millionth, and rounding of float64 less than 1e-9 of the errors
        assert (worst <= bound * (1.0 + 1e-4) + 1e-9 * size).all()
        assert (worst >= bound * 0.99 - 1e-9 * size).all()


@pytest.mark.parametrize("gap", [0.0, 0.5, 1.5, 3.0, 10.0])
def test_the_larger_of_two_numbers_moves_with_both_where_they_are_near(gap: float) -> None:
    operands = [np.array([[1.0]]), np.array([[1.0 + gap]])]
    errors: list[Array | None] = [np.array([[2.0]]), np.array([[0.25]])]
    moves = [abs(max(1.0 + 2.0 * s, 1.0 + gap + 0.25 * t) - (1.0 + gap)) for s in (-1, 1) for t in (-1, 1)]
    assert bound_of("max", operands, errors) == max(moves)
    row = [np.concatenate(operands, axis=1)]
    assert bound_of("max_outputs", row, [np.array([[2.0, 0.25]])]) == max(moves)


@each_operation
def test_one_error_for_all_entries_is_that_error_for_each(name: str) -> None:
    operands = operands_of(name, 3)
    for error in (np.full((1, 1), 1e-3), np.array(1e-3)):
        few: list[Array | None] = [error, *[None] * (len(operands) - 1)]
        full: list[Array | None] = [np.full(operands[0].shape, 1e-3), *[None] * (len(operands) - 1)]
        found, expected = bound_of(name, operands, few), bound_of(name, operands, full)
        assert found is not None
        assert expected is not None
        np.testing.assert_allclose(np.broadcast_to(found, expected.shape), expected, rtol=1e-12)


@each_operation
def test_an_operation_says_what_it_is_and_nothing_more(name: str) -> None:
    operation = OPERATIONS[name]
    assert operation.latex.format(*"ab"[: operation.n_operands])
    # what sums or looks over axes leaves one entry along each
    found = compile_formula(Apply(name, tuple(map(Name, "XY"[: operation.n_operands]))), "XY")
    shape = found(*operands_of(name, 4), *[None] * (2 - operation.n_operands)).shape
    assert all(shape[axis] == 1 for axis in operation.axes)
    if operation.is_entrywise:
        assert shape == (2, 3)
