"""Symbols: what they stand for, and how LaTeX writes them."""

import pytest

from core.formulas import NUMBERS, Name, is_lifted, is_number, latex_of, parse_formula
from core.formulas.symbols import CONSTANTS, axes_of, bare


@pytest.mark.parametrize(
    ("name", "latex"),
    [
        ("X", "X"),
        ("W12", "W_{12}"),
        ("dL/dZ12", r"\frac{\partial L}{\partial Z_{12}}"),
        ("dL/dX", r"\frac{\partial L}{\partial X}"),
        ("dA2/dZ1", r"\frac{\partial A_{2}}{\partial Z_{1}}"),
        ("losses", r"\text{losses}"),
        ("a_b", r"\text{a\_b}"),
        ("c′", "c'"),
        ("Z₋", "Z_{-}"),
        ("X₀", "X_{0}"),
        ("x1₀", "x_{10}"),
        ("ln_B", r"\ln b"),
        ("π", r"\pi"),
        ("no name", r"\text{no name}"),
    ],
)
def test_a_symbol_has_one_subscript_and_words_are_upright(name: str, latex: str) -> None:
    assert latex_of(name) == latex


@pytest.mark.parametrize(
    ("text", "single"),
    [
        ("2", True),
        ("N", True),
        ("X", False),
        ("N·ln_B", True),
        ("N·X", False),
        ("sum(X)", True),
        ("mean(X)", True),
        ("sum_outputs(X)", False),
        ("sum(X)/N + 1", True),
        ("Xᵀ", False),
        ("f(N)", True),
        ("f(X)", False),
        ("ln(2)", True),
        ("X > 0", False),
    ],
)
def test_a_formula_is_a_number_where_all_that_it_is_made_of_is(text: str, single: bool) -> None:
    assert is_number(parse_formula(text, ["f"])) is single


def test_every_constant_and_number_is_one() -> None:
    assert set(CONSTANTS) <= set(NUMBERS)
    assert all(is_number(Name(name)) and is_lifted(name) for name in NUMBERS)


@pytest.mark.parametrize(
    ("name", "axis"), [("b", -2), ("b12", -2), ("dL/db3", -2), ("losses", -1), ("Z1", None), ("dL/dW2", None)]
)
def test_rows_lack_samples_and_columns_lack_outputs(name: str, axis: int | None) -> None:
    assert axes_of(name) == axis
    assert is_lifted(name) is (axis is not None)


def test_a_symbol_without_its_number() -> None:
    assert [bare(name) for name in ("dL/dW2", "Z12", "X", "losses")] == ["dL/dW", "Z", "X", "losses"]
