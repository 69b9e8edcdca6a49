"""Formulas are computed as they stand, on stacks as on single cases, and errors followed through them hold."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, reject
from hypothesis import strategies as st

from core.activations import ACTIVATIONS
from core.arrays import Array
from core.formulas import (
    OPERATIONS,
    Expression,
    Name,
    Number,
    compile_bound,
    compile_formula,
    lift,
    names_in,
    parse_formula,
)
from core.losses import LOSSES
from tests.support.formulas import expressions

FORMULAS = {
    **{f"{name}, value": entry.formula for name, entry in ACTIVATIONS.items()},
    **{f"{name}, derivative": entry.derivative for name, entry in ACTIVATIONS.items()},
    **{f"{name}, loss": entry.formula for name, entry in LOSSES.items()},
    **{f"{name}, derivative of loss": entry.derivative for name, entry in LOSSES.items()},
}

CONSTANTS = ("ln(2)·X", "X/sqrt(2·π)", "−1·X", "X^2", "(X > 0)·X", "X·(1 − 1/3)", "X + max(1, 2)", "X·sum(2)", "X + 2ᵀ")


def values_for(formula: Expression, dtype: npt.DTypeLike, *leading: int) -> list[Array]:
    rng = np.random.default_rng(0)
    shapes = {"s": (3, 1)}
    return [rng.uniform(0.1, 0.9, (*leading, *shapes.get(name, (2, 3)))).astype(dtype) for name in names_in(formula)]


@pytest.mark.parametrize("of", FORMULAS)
def test_formulas_of_entries_keep_float32_and_stack(of: str) -> None:
    formula = FORMULAS[of]
    compute = compile_formula(formula, names_in(formula))
    assert np.asarray(compute(*values_for(formula, np.float32))).dtype == (np.float32 if names_in(formula) else float)
    stacks = values_for(formula, float, 4)
    for index in range(4 if stacks else 0):
        np.testing.assert_array_equal(compute(*stacks)[index], compute(*(stack[index] for stack in stacks)))


@pytest.mark.parametrize("text", CONSTANTS)
def test_constants_take_the_type_of_what_they_meet(text: str) -> None:
    for dtype in (np.float32, np.float64):
        assert compile_formula(parse_formula(text), ["X"])(np.ones((2, 2), dtype)).dtype == dtype


def test_constants_are_computed_as_everything_else_is() -> None:
    value = compile_formula(parse_formula("X∘(ln(2)/sqrt(2·π) + sum(3)ᵀ − e^(−1) + max(2, 1))"), ["X"])(np.ones((1, 1)))
    assert value == pytest.approx(np.log(2.0) / np.sqrt(2.0 * np.pi) + 3.0 - np.exp(-1.0) + 2.0, rel=1e-15)
    with np.errstate(invalid="ignore"):
        assert compile_formula(parse_formula("X·(1/0)"), ["X"])(np.ones((1, 1))) == np.inf


def test_a_formula_is_computed_from_the_names_in_their_order() -> None:
    a, b = np.array([[1.0, 2.0]]), np.array([[10.0, 20.0]])
    formula = parse_formula("A − B")
    np.testing.assert_array_equal(compile_formula(formula, ["A", "B"])(a, b), a - b)
    np.testing.assert_array_equal(compile_formula(formula, ["B", "C", "A"])(b, None, a), a - b)
    with pytest.raises(KeyError, match="B"):
        compile_formula(formula, ["A"])


def test_a_function_goes_before_an_operation_of_its_name() -> None:
    formula = parse_formula("f(A) + exp(A)", ["f"])
    functions = {"f": OPERATIONS["negate"], "exp": OPERATIONS["ln"]}
    a = np.array([[2.0, 3.0]])
    np.testing.assert_array_equal(compile_formula(formula, ["A"], functions)(a), -a + np.log(a))


@pytest.mark.parametrize(
    ("name", "value", "lifted"),
    [
        ("Z1", np.ones((4, 3)), (4, 3)),
        ("b2", np.ones(3), (1, 3)),
        ("b2", np.ones((5, 3)), (5, 1, 3)),
        ("dL/db1", np.ones((5, 3)), (5, 1, 3)),
        ("losses", np.ones(4), (4, 1)),
        ("losses", np.ones((5, 4)), (5, 4, 1)),
        ("N", np.ones(()), ()),
        ("N", np.ones((5, 1, 1)), (5, 1, 1)),
        ("N", np.ones((5, 1)), (5, 1, 1)),
        ("N", np.ones(5), (5, 1, 1)),
    ],
)
def test_what_has_fewer_axes_is_given_both(name: str, value: Array, lifted: tuple[int, ...]) -> None:
    assert lift(name, value).shape == lifted


STEEP = {"divide", "power", "exp", "ln", "sqrt", "scale", "diag", "greater", "at_least", "onehot"}
"""What small errors may move far, or to another place."""

SMOOTH = [name for name in OPERATIONS if name not in STEEP]


def square_matrices() -> st.SearchStrategy[Expression]:
    return st.sampled_from(("X", "Y")).map(Name) | st.sampled_from((0.5, 2.0)).map(Number)


@given(expressions(SMOOTH, square_matrices(), functions=()), st.integers(0, 2**32 - 1))
def test_no_sampled_perturbation_moves_a_formula_further_than_its_bound(formula: Expression, seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = [rng.uniform(-1.0, 1.0, (2, 2)) for _ in "XY"]
    errors = [rng.uniform(0.1, 1.0, (2, 2)) * 1e-7 for _ in "XY"]
    compute = compile_formula(formula, ["X", "Y"])
    try:
        value = np.asarray(compute(*values))
    except (IndexError, TypeError, ValueError):
        reject()  # shapes that do not fit
    bound = compile_bound(formula, ["X", "Y"])(lambda value, error: np.zeros(()), values, errors)
    if bound is None:
        assert not {"X", "Y"} & set(names_in(formula))
        return
    size = 1.0 + np.abs(value).max() + float(bound.max()) * 1e7
    for _ in range(20):
        moved = [one + rng.choice((-1.0, 1.0), (2, 2)) * error for one, error in zip(values, errors, strict=True)]
        move = np.abs(compute(*moved) - value)
        # second order: the square of the errors, and rounding of float64, in sizes of what is computed
        assert (move <= bound * (1.0 + 1e-3) + 1e-11 * size**2).all()


def written_half(value: Array, error: Array | None) -> Array:
    """Write down with an error of a half."""
    return np.full(np.shape(value), 0.5)


@pytest.mark.parametrize(
    ("text", "bound"),
    [
        # each product is written down before it is added to another, and once
        ("X∘Y + X∘Y", 1.0),
        ("X∘Y", None),
        ("sum_outputs(X∘Y)", 1.0),
        ("sum_outputs(X∘Y + X)", 1.0),
        ("X·Y + X", None),
        ("−(X∘Y) + X", None),
        ("X∘Y − X", None),
        ("c·N + c", None),
    ],
)
def test_what_is_computed_entry_by_entry_is_written_down_before_it_is_added(text: str, bound: float | None) -> None:
    formula = parse_formula(text)
    values = {"X": np.ones((2, 2)), "Y": np.ones((2, 2)), "c": np.array(2.0), "N": np.array(3.0)}
    follow = compile_bound(formula, list(values))
    found = follow(written_half, list(values.values()), [None] * 4)
    assert (found is None) is (bound is None)
    if found is not None:
        np.testing.assert_array_equal(np.broadcast_to(found, (2, found.shape[-1])), bound)


def test_a_written_number_errs_by_its_own_error_and_the_writing() -> None:
    x, error = np.array([[2.0, 3.0]]), np.array([[0.01, 0.02]])
    follow = compile_bound(parse_formula("sum_outputs(X²)"), ["X"])
    assert follow(written_half, [x], [error]) == pytest.approx(2 * 2.0 * 0.01 + 2 * 3.0 * 0.02 + 1.0)
