"""A formula without terms of 0, factors of 1 and needless parentheses is worth the same."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from core.formulas import (
    OPERATIONS,
    ZERO,
    Expression,
    Name,
    Number,
    compile_formula,
    names_in,
    parse_formula,
    parts_of,
    simplify,
    substitute,
    to_text,
)
from tests.support.formulas import expressions


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("0 + X", "X"),
        ("X + 0", "X"),
        ("X − 0", "X"),
        ("0 − X", "−X"),
        ("1·X", "X"),
        ("X∘1", "X"),
        ("0·X + Y", "Y"),
        ("X/1", "X"),
        ("0/N + X", "X"),
        ("−(−X)", "X"),
        ("X − 0·Y", "X"),
        ("−0 + X", "X"),
        ("X·(0·Y) + W", "W"),
        ("sum(sum_outputs(Y∘ln(A)))", "sum(Y∘ln(A))"),
        ("sum(−sum_outputs(Y∘ln(A)))", "−sum(Y∘ln(A))"),
        ("sum(sum_outputs((A − Y)²)/2)", "sum((A − Y)²)/2"),
        ("0.02·sum(W²)/2", "0.01·sum(W²)"),
        ("2·sum(W²)/2", "sum(W²)"),
        ("X·1/N", "X/N"),
        ("(−X)/N", "−X/N"),
        ("(−sum(−X))/1", "sum(X)"),
        ("X + (Y + W) + (0 + (Z + A))", "X + Y + W + Z + A"),
        ("X/(N·1)", "X/N"),
        # nothing to leave out
        ("2·X/0", "2·X/0"),
        ("1e300·X/1e-300", "1e300·X/1e-300"),
        ("X∘Y + W", "X∘Y + W"),
        ("sum(X/Y)", "sum(X/Y)"),
        ("sum(X)", "sum(X)"),
        ("f(X)", "f(X)"),
    ],
)
def test_what_counts_nothing_is_left_out(text: str, short: str) -> None:
    assert to_text(simplify(parse_formula(text, ["f"]))) == short


def atoms() -> st.SearchStrategy[Expression]:
    numbers = st.sampled_from((0.0, 1.0, 2.0)).map(Number)
    return st.one_of(numbers, numbers, st.sampled_from(("X", "Y", "N")).map(Name))


ENTRYWISE = [name for name in OPERATIONS if OPERATIONS[name].is_entrywise and name != "scale"]


# of a sum or a product of matrices, what counts nothing may have had the shape
@given(expressions(ENTRYWISE, atoms(), functions=()))
def test_the_value_stays(formula: Expression) -> None:
    names = ["X", "Y", "N"]
    values = [np.array([[0.5, -1.5], [2.0, 0.25]]), np.array([[1.0, 3.0], [-2.0, 0.75]]), np.array([[2.0]])]
    with np.errstate(all="ignore"):
        parts = [np.asarray(compile_formula(part, names)(*values)) for part in parts_of(formula)]
        assume(all(np.isfinite(part).all() for part in parts))
        after = compile_formula(simplify(formula), names)(*values)
    np.testing.assert_allclose(np.broadcast_to(after, parts[0].shape), parts[0], rtol=1e-12, atol=1e-12)


@given(expressions(atoms=atoms(), functions=()))
def test_there_is_nothing_left_to_leave_out(formula: Expression) -> None:
    short = simplify(formula)
    assert simplify(short) == short
    assert all(np.isfinite(part.value) for part in parts_of(short) if isinstance(part, Number))


def test_a_formula_without_one_of_its_terms_does_not_mention_it() -> None:
    formula = parse_formula("Xᵀ·dL/dZ + c·W")
    assert names_in(simplify(substitute(formula, {Name("c"): ZERO}))) == ("X", "dL/dZ")
