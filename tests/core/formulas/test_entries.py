"""One entry of a formula written out: its numbers give the formula's value, for every operation and every entry."""

import math

import numpy as np
import pytest

from core.errors import TooLargeError
from core.formulas import (
    MAX_NUMBERS,
    OPERATIONS,
    Apply,
    Name,
    Number,
    compile_formula,
    parse_formula,
    round_number,
    to_text,
    value_of_entry,
    write_entry,
)

RNG = np.random.default_rng(0)
SQUARE = {"P": RNG.uniform(0.1, 0.9, (3, 3)), "Q": RNG.uniform(0.1, 0.9, (3, 3))}
COLUMN = {"P": RNG.uniform(0.1, 0.9, (3, 1)), "Q": RNG.uniform(0.1, 0.9, (3, 3))}


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_entry_of_every_operation_gives_the_value_of_the_formula(name: str) -> None:
    values = COLUMN if name == "diag" else SQUARE
    operands = [Name("P"), Number(2.0) if name == "power" else Name("Q")]
    formula = Apply(name, tuple(operands[: OPERATIONS[name].n_operands]))
    value = compile_formula(formula, list(values))(*values.values())
    for index in np.ndindex(value.shape):
        written = write_entry(formula, (index[0], index[1]), values)
        assert value_of_entry(written) == pytest.approx(value[index], rel=1e-12)
        # what is printed is read again
        assert value_of_entry(parse_formula(to_text(written))) == pytest.approx(value[index], rel=1e-12)


@pytest.mark.parametrize(
    ("formula", "text"),
    [
        ("X·W + b", "1·0.5 + 2·0.3 + 0.1"),
        ("Xᵀ·X", "1·1 + (−3)·(−3)"),
        ("W − 2·Wᵀᵀ", "0.5 − 2·0.5"),
        ("sum(X)/N", "(1 + 2 + (−3) + 0.1235)/4"),
        ("mean_outputs(X)∘X", "(1 + 2)/2·1"),
        ("max_outputs(X)", "max(1, 2)"),
        ("e^X/sum_outputs(e^X)", "e^1/(e^1 + e^2)"),
        ("π∘W", "π·0.5"),
    ],
)
def test_an_entry_reads_as_it_is_worked_out_by_hand(formula: str, text: str) -> None:
    values = {
        "X": np.array([[1.0, 2.0], [-3.0, 0.12345]]),
        "W": np.array([[0.5], [0.3]]),
        "b": np.array([0.1]),
        "N": np.array(4.0),
    }
    assert to_text(write_entry(parse_formula(formula), (0, 0), values, 4)) == text


@pytest.mark.parametrize(
    ("value", "decimals", "rounded"),
    [
        (1.23456, 4, 1.2346),
        (-0.00004979, 4, -0.0000498),
        (0.012345, 4, 0.0123),
        (0.0012345, 4, 0.00123),
        (123456.7, 0, 123457.0),
        (0.04, 0, 0.04),
        (-0.0, 4, 0.0),
        (1 / 3, None, 1 / 3),
    ],
)
def test_numbers_are_rounded_and_small_ones_keep_figures(value: float, decimals: int | None, rounded: float) -> None:
    found = round_number(value, decimals)
    assert found == rounded
    assert math.copysign(1.0, found) == math.copysign(1.0, rounded)


def test_an_entry_of_too_many_numbers_is_refused_before_it_is_written() -> None:
    n = MAX_NUMBERS // 2
    fitting, wide = np.ones((1, n)), np.ones((10**5, 10**5 // n))
    write_entry(parse_formula("X·Xᵀ"), (0, 0), {"X": fitting})
    with pytest.raises(TooLargeError, match=str(2 * (n + 1))):
        write_entry(parse_formula("X·Xᵀ"), (0, 0), {"X": np.ones((1, n + 1))})
    with pytest.raises(TooLargeError, match=str(wide.size)):
        write_entry(parse_formula("sum(X)"), (0, 0), {"X": wide})


@pytest.mark.parametrize("text", ["1/0", "ln(0)", "e^1000", "10^1000", "0/0"])
def test_numbers_that_do_not_fit_give_no_number(text: str) -> None:
    assert not math.isfinite(value_of_entry(parse_formula(text)))
