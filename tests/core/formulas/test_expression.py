"""Expressions: what they are made of, and changed parts."""

from hypothesis import given

from core.formulas import Apply, Expression, Name, Number, names_in, parse_formula, parts_of, rewrite, substitute
from tests.support.formulas import expressions


def test_names_are_listed_once_from_left_to_right() -> None:
    assert names_in(parse_formula("Xᵀ·dL/dZ1 + c·W1 − X·2")) == ("X", "dL/dZ1", "c", "W1")


def test_parts_are_listed_outermost_first() -> None:
    formula = parse_formula("X + 2·Y")
    two, y = Number(2.0), Name("Y")
    assert list(parts_of(formula)) == [formula, Name("X"), Apply("scale", (two, y)), two, y]


@given(expressions())
def test_a_formula_is_as_high_as_its_operations_are_nested(expression: Expression) -> None:
    highest = (
        max((operand.height for operand in expression.operands), default=0) if isinstance(expression, Apply) else -1
    )
    assert expression.height == highest + 1
    assert expression.height < len(list(parts_of(expression)))


@given(expressions())
def test_what_is_changed_into_itself_is_the_same(expression: Expression) -> None:
    assert rewrite(expression, lambda part: part) == expression
    assert substitute(expression, {}) == expression


def test_parts_are_changed_from_the_leaves_to_the_root() -> None:
    def double(part: Expression) -> Expression:
        return Number(part.value * 2.0) if isinstance(part, Number) else part

    assert rewrite(parse_formula("1 + 2·X"), double) == parse_formula("2 + 4·X")
    # what is put in place of a part is not changed again
    swapped = substitute(parse_formula("X + Y·X"), {Name("X"): Name("Y"), Name("Y"): Name("X")})
    assert swapped == parse_formula("Y + X·Y")


def test_equal_formulas_are_one_key() -> None:
    assert {parse_formula("X·W + b"): 1}[parse_formula("(X·W) + b")] == 1
