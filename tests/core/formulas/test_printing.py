"""Formulas are printed so that no two read alike, as text and as LaTeX."""

import re
from collections import defaultdict

import pytest
from hypothesis import given

from core.formulas import Expression, Name, Number, number_to_text, parse_formula, substitute, to_latex, to_text
from tests.support.formulas import FUNCTIONS, expressions, small_formulas


def is_balanced(latex: str) -> bool:
    """Tell whether braces, and parentheses that grow, are closed in the order in which they are opened."""
    still_open = []
    for sign in re.findall(r"\\[{}]|\\left\S|\\right\S|[{}]", latex):
        if sign == "{" or sign.startswith(r"\left"):
            still_open.append(sign)
        elif sign in {"}", r"\right)", r"\right|"} and (
            not still_open or still_open.pop() != {"}": "{", r"\right)": r"\left(", r"\right|": r"\left|"}[sign]
        ):
            return False
    return not still_open


def test_the_test_of_balance_sees_what_is_wrong() -> None:
    assert is_balanced(r"\frac{a}{\left(b\right)}")
    assert not any(map(is_balanced, (r"{a", r"a}", r"\left(a", r"{\left(a}\right)", r"\left|a\right)")))


@given(expressions())
def test_latex_is_balanced(expression: Expression) -> None:
    assert is_balanced(to_latex(expression))


@pytest.mark.long
def test_no_two_small_formulas_are_printed_alike() -> None:
    by_text, by_latex = defaultdict(set), defaultdict(set)
    for formula in small_formulas([Name("X"), Name("N")]):
        by_text[to_text(formula)].add(formula)
        by_latex[to_latex(formula)].add(formula)
    assert len(by_text) > 50_000
    assert [text for text, formulas in by_text.items() if len(formulas) > 1] == []
    assert [latex for latex, formulas in by_latex.items() if len(formulas) > 1] == []


@pytest.mark.parametrize(
    ("text", "latex"),
    [
        ("Xᵀ·dL/dZ + c·W", r"X^{\mathsf T} \frac{\partial L}{\partial Z} + c \cdot W"),
        ("dL/dA2∘(Z2 > 0)", r"\frac{\partial L}{\partial A_{2}} \odot [Z_{2} > 0]"),
        ("(A − Y)/(N·ln_B)", r"\frac{A - Y}{N \cdot \ln b}"),
        ("e^(−Z²/2)/sqrt(2·π)", r"\frac{e^{-\frac{Z^{2}}{2}}}{\sqrt{2 \cdot \pi}}"),
        ("c·sum(W²)/2", r"\frac{c \cdot \sum W^{2}}{2}"),
        ("sum(W)·c", r"\left(\sum W\right) \cdot c"),
        ("(A + sum(W))·Z", r"\left(A + \sum W\right) Z"),
        ("sum(W)²", r"\left(\sum W\right)^{2}"),
        ("(dL/dZ)²", r"\left(\frac{\partial L}{\partial Z}\right)^{2}"),
        ("X·(Z/A)", r"X \frac{Z}{A}"),
        ("(−Z)²", r"\left(-Z\right)^{2}"),
        ("−Z²", "-Z^{2}"),
        ("1e-5·Z", r"10^{-5} \cdot Z"),
        ("2.5e-5²", r"\left(2.5 \cdot 10^{-5}\right)^{2}"),
        ("f′(Z)", r"f'\left(Z\right)"),
        ("loss(A)", r"\operatorname{loss}\left(A\right)"),
        ("abs(Z)", r"\left|Z\right|"),
    ],
)
def test_latex_is_as_it_is_written_by_hand(text: str, latex: str) -> None:
    assert to_latex(parse_formula(text, FUNCTIONS)) == latex


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("((X·(W)) + (b))", "X·W + b"),
        ("(X·W)∘(A)", "X·W∘A"),
        ("X·(W∘A)", "X·(W∘A)"),
        ("(X − Y) − (Z − A)", "X − Y − (Z − A)"),
        ("exp(X + Y)", "e^(X + Y)"),
        ("(X > 0) > 0", "(X > 0) > 0"),
        ("max(X, 0.01·X)", "max(X, 0.01·X)"),
    ],
)
def test_text_has_the_parentheses_that_it_needs(text: str, printed: str) -> None:
    assert to_text(parse_formula(text)) == printed


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (2.0, "2"),
        (-2.0, "−2"),
        (0.1, "0.1"),
        (1e16, "1e16"),
        (1.5e-7, "1.5e-7"),
        (-0.00001, "−1e-5"),
        (1e15, "1" + 15 * "0"),
    ],
)
def test_numbers_are_written_short(value: float, text: str) -> None:
    assert number_to_text(value) == text
    assert to_text(Number(value)) == text


@pytest.mark.parametrize("text", ["X − 3", "3·X", "X/3", "3ᵀ", "3^X", "X^3", "X + 3", "max(X, 3)", "e^3"])
def test_a_negative_number_is_enclosed_as_a_negation_is(text: str) -> None:
    with_number = substitute(parse_formula(text), {Number(3.0): Number(-3.0)})
    negated = parse_formula(text.replace("3", "(−3)"))
    assert to_text(with_number) == to_text(negated)
    assert to_latex(with_number) == to_latex(negated)
