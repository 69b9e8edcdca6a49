"""Random formulas, and all small ones."""

from collections.abc import Iterator, Sequence
from itertools import product

from hypothesis import strategies as st

from core.formulas import OPERATIONS, Apply, Expression, Name, Number, is_number

ARRAYS = ("X", "S", "Y", "W1", "b1", "Z12", "A3", "dL/dZ12", "dL/dW1", "dL/dA", "losses", "x", "c0ld", "λ", "Z₋")
COUNTS = ("N", "n", "c", "ln_B", "η", "π")
FUNCTIONS = ("f", "f′", "loss", "loss′")


def apply(name: str, *operands: Expression) -> Apply:
    """Apply an operation; a product is a multiple where a number stands in it, as the reader has it."""
    if name in {"product", "scale"}:
        name = "scale" if any(map(is_number, operands)) else "product"
    return Apply(name, operands)


def leaves() -> st.SearchStrategy[Expression]:
    """Draw names of arrays and of numbers, and numbers as digits."""
    numbers = st.integers(0, 20).map(float) | st.floats(0.0, allow_nan=False, allow_infinity=False)
    return st.sampled_from(ARRAYS + COUNTS).map(Name) | numbers.map(lambda value: Number(value + 0.0))


def expressions(
    operations: Sequence[str] = tuple(OPERATIONS),
    atoms: st.SearchStrategy[Expression] | None = None,
    functions: Sequence[str] = FUNCTIONS,
) -> st.SearchStrategy[Expression]:
    """Draw formulas of some operations, and of functions that are no operations."""

    def grow(parts: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
        drawn = [
            st.builds(apply, st.just(name), *[parts] * OPERATIONS[name].n_operands)
            for name in operations
            if name != "scale" or "product" not in operations
        ]
        return st.one_of(*drawn, *[st.builds(apply, st.just(name), parts) for name in functions])

    return st.recursive(atoms if atoms is not None else leaves(), grow, max_leaves=12)


def small_formulas(atoms: Sequence[Expression]) -> Iterator[Expression]:
    """List all formulas with at most two operations in one another."""
    layers = [list(atoms), list(dict.fromkeys(_applied(atoms)))]
    yield from layers[0]
    yield from layers[1]
    yield from dict.fromkeys(part for part in _applied([*atoms, *layers[1]]) if part.height > 1)


def _applied(parts: Sequence[Expression]) -> Iterator[Expression]:
    for operation in OPERATIONS.values():
        for operands in product(parts, repeat=operation.n_operands):
            yield apply(operation.name, *operands)
