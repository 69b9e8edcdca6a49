"""Formulas are read as they are meant, and whatever is no formula is refused where it stops being one."""

import sys
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import DomainError
from core.formulas import (
    OPERATIONS,
    Apply,
    Expression,
    Name,
    Number,
    compile_bound,
    compile_formula,
    names_in,
    parse_formula,
    simplify,
    to_latex,
    to_text,
)
from core.formulas.reading import MAX_DEPTH, MAX_HEIGHT, MAX_LENGTH
from tests.support.formulas import FUNCTIONS, expressions, small_formulas


@given(expressions())
def test_what_is_printed_is_read_back(expression: Expression) -> None:
    assert parse_formula(to_text(expression), FUNCTIONS) == expression


@pytest.mark.long
def test_every_small_formula_is_read_back() -> None:
    formulas = list(small_formulas([Name("X"), Name("N")]))
    assert {formula.operation for formula in formulas if isinstance(formula, Apply)} == set(OPERATIONS)
    assert [text for formula in formulas if parse_formula(text := to_text(formula)) != formula] == []


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("X.T @ (S - Y) / N", "Xᵀ·(S − Y)/N"),
        ("np.sum(G, axis=0)", "sum_samples(G)"),
        ("numpy.sum(G, axis = -2)", "sum_samples(G)"),
        ("np.sum(G, axis=1)", "sum_outputs(G)"),
        ("np.mean(G, axis=−1)", "mean_outputs(G)"),
        ("np.max(Z, axis=1)", "max_outputs(Z)"),
        ("np.maximum(Z, 0)", "max(Z, 0)"),
        ("dL_dZ1 * A1", "dL/dZ1∘A1"),
        ("2 * A", "2·A"),
        ("A*0.5*Z", "A·0.5∘Z"),
        ("(A - Y)**2", "(A − Y)²"),
        ("A^2", "A²"),
        ("A ⊙ Z", "A∘Z"),
        ("X.mT", "Xᵀ"),
        ("np.exp(-Z)", "e^(−Z)"),
        ("e**-Z", "e^(−Z)"),
        ("np.log(A)", "ln(A)"),
        ("Z >= 0", "Z ≥ 0"),
        ("-A**2", "−(A²)"),
        ("--A", "−(−A)"),
        ("A − −Z", "A − (−Z)"),
        ("A·−Z", "A·(−Z)"),
        ("A − Z − Y", "(A − Z) − Y"),
        ("A/Z/Y", "(A/Z)/Y"),
        ("A + Z > Y·W", "(A + Z) > (Y·W)"),
        ("  \n(A)\t ", "A"),
        (".5·Z", "0.5·Z"),
        ("1.·Z", "1·Z"),
        ("1e-3·Z", "0.001·Z"),
        ("dL/dZ/N", "(dL/dZ)/N"),
        ("dL/dZ12ᵀ", "(dL/dZ12)ᵀ"),
    ],
)
def test_a_spelling_is_read_as_it_is_meant(typed: str, meant: str) -> None:
    assert parse_formula(typed) == parse_formula(meant)


def test_a_derivative_is_one_name_and_a_quotient_is_two() -> None:
    assert parse_formula("dL/dZ12") == parse_formula("dL_dZ12") == Name("dL/dZ12")
    assert parse_formula("dL / dZ12") == Apply("divide", (Name("dL"), Name("dZ12")))


@pytest.mark.parametrize(
    ("text", "position", "named"),
    [
        ("", 1, "the end"),
        ("   ", 1, "the end"),
        ("X + ", 4, "the end"),
        ("X $ Y", 3, "a sign that has no meaning"),
        ("X + é", 5, "a sign that has no meaning"),
        ("٣", 1, "a sign that has no meaning"),
        ("X\ud800", 2, "a sign that has no meaning"),
        ("np.pie", 3, "a sign that has no meaning"),
        ("X.sum(axis=0)", 2, "a sign that has no meaning"),
        ("X Y", 3, "a name"),
        ("2X", 2, "a name"),
        ("X dL/dZ1", 3, "a name"),
        ("1.5.2", 4, "a number"),
        ("X)", 2, "the sign )"),
        ("(X", 3, "the end"),
        ("()", 2, "the sign )"),
        ("X > Y > Z", 7, "the sign >"),
        ("X^Y^Z", 4, "the sign ^"),
        ("X = Y", 3, "the sign ="),
        ("ᵀX", 1, "the sign ᵀ"),
        ("Y·1e999", 3, "a number that does not fit float64"),
        ("1 + q(X)", 5, "a function that is not known here"),
        ("np.linalg(X)", 1, "a function that is not known here"),
        ("add(X, Y)", 1, "a function that is not known here"),
        ("sum_rows(X)", 1, "a function that is not known here"),
        ("exp(X, axis=0)", 1, "a function that is not known here"),
        ("exp()", 5, "the sign )"),
        ("X + max(X)", 5, "1 operand; max takes 2"),
        ("exp(X, Y)", 1, "2 operands; exp takes 1"),
        ("f(X, Y)", 1, "2 operands; f takes 1"),
        ("max(X, Y, axis=0)", 1, "2 operands; max_samples takes 1"),
        ("sum(X, axis=2)", 13, "axis=2; needed"),
        ("sum(X, axis=samples)", 13, "axis=samples; needed"),
        ("sum(X, axis=(0, 1))", 13, "axis=(; needed"),
        ("sum(X, axis=)", 13, "axis=); needed"),
        ("sum(X, axis=", 13, "axis=; needed"),
        ("sum(X, axis=-", 13, "axis=-; needed"),
        ("sum(X, axis", 12, "the end; needed ="),
        ("sum(X, axis=0, axis=1)", 14, "the sign ,; needed )"),
        ("sum(axis=0)", 9, "the sign ="),
    ],
)
def test_what_is_no_formula_is_refused_where_it_stops_being_one(text: str, position: int, named: str) -> None:
    with pytest.raises(DomainError, match=rf"\bcharacter {position}\b") as caught:
        parse_formula(text, FUNCTIONS)
    assert f"found {named}" in str(caught.value)


HOSTILE = {
    "parentheses": "(" * 10_000,
    "parentheses that fit": "(" * MAX_LENGTH,
    "closed parentheses": "(" * 1_500 + "X" + ")" * 1_500,
    "signs": "−" * 10_000 + "X",
    "signs that fit": "-" * (MAX_LENGTH - 1) + "X",
    "transposes": "X" + "ᵀ" * 5_000,
    "transposes that fit": "X" + "ᵀ" * (MAX_LENGTH - 1),
    "squares": "X" + "²" * (MAX_LENGTH - 1),
    "sums": "+".join("X" * (MAX_LENGTH // 2)),
    "products": "·".join("X" * (MAX_LENGTH // 2)),
    "products of numbers": "·".join("2" * (MAX_LENGTH // 2)),
    "quotients": "/".join("X" * (MAX_LENGTH // 2)),
    "calls": "exp(" * 900,
    "functions": "f(" * 1_900,
    "powers": "e^(" * 900,
    "sums in sums": "(" * 39 + "X" + ("+X" * 49 + ")") * 39,
    "an axis": "sum(X, axis=" + "y" * 3_000,
    "a name": "X" * 10_000,
    "digits": "9" * MAX_LENGTH,
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_text_is_refused_and_not_repeated(kind: str) -> None:
    with pytest.raises(DomainError) as caught:
        parse_formula(HOSTILE[kind], FUNCTIONS)
    assert len(str(caught.value)) < 200


@given(st.text(st.sampled_from("XYN12.·@*/+−-^²ᵀ()>=,e_ saxinumpdL $"), max_size=40))
def test_any_text_is_a_formula_or_refused(text: str) -> None:
    try:
        expression = parse_formula(text)
    except DomainError:
        return
    assert parse_formula(to_text(expression)) == expression


LARGEST = {
    "sums": "X" + "+X" * MAX_HEIGHT,
    "signs": "−" * MAX_DEPTH + "X",
    "factors with a sign": "X·−(" * (MAX_DEPTH // 2) + "X" + ")" * (MAX_DEPTH // 2),
    "negative powers": "X^−(" * (MAX_DEPTH // 2) + "X" + ")" * (MAX_DEPTH // 2),
    "exponentials and transposes": "exp(" * (MAX_DEPTH // 2) + "X" + ").T" * (MAX_DEPTH // 2),
    "parentheses": "(X + X)·(" * MAX_DEPTH + "X + X" + ")" * MAX_DEPTH,
    "transposes": "X" + "ᵀ" * MAX_HEIGHT,
    "powers": "e^(" * MAX_DEPTH + "X" + ")" * MAX_DEPTH,
    "sums of calls": "ln(" * MAX_DEPTH + "X" + "·X" * (MAX_HEIGHT - MAX_DEPTH) + ")" * MAX_DEPTH,
}


def deep_in_the_stack(frames: int, run: Callable[[], None]) -> None:
    """Run something where frames of the stack are in use."""
    return deep_in_the_stack(frames - 1, run) if frames else run()


@pytest.mark.parametrize("kind", LARGEST)
def test_whatever_is_done_with_the_largest_formulas_takes_half_of_the_stack(kind: str) -> None:
    def read_every_way() -> None:
        expression = parse_formula(LARGEST[kind])
        names = names_in(expression)
        assert parse_formula(to_text(expression)) == expression
        assert hash(expression) == hash(parse_formula(LARGEST[kind]))
        assert to_latex(expression)
        assert simplify(expression).height <= expression.height
        compute, bound = compile_formula(expression, names), compile_bound(expression, names)
        with np.errstate(all="ignore"):
            compute(np.ones((2, 2)))
            bound(lambda value, error: np.zeros(()), [np.ones((2, 2))], [np.ones((2, 2))])

    deep_in_the_stack(sys.getrecursionlimit() // 2 - 100, read_every_way)


def test_numbers_are_read_to_the_last_digit() -> None:
    for value in (0.1, 1 / 3, 5e-324, 1.7976931348623157e308, 123456789.0, 1e22, 1e-7):
        assert parse_formula(to_text(Number(value))) == Number(value)
