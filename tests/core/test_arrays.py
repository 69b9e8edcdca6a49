"""What is asked of every array, and where its entries stand."""

import numpy as np
import pytest

from core.arrays import Array, along_last, is_finite, range_of


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex128])
def test_one_entry_that_is_not_a_number_is_found(bad: float, dtype: type) -> None:
    array: Array = np.ones((3, 4), dtype=dtype)
    assert is_finite(array)
    assert is_finite(array.T)
    array[1, 2] = bad
    assert not is_finite(array)
    assert not is_finite(array.T)
    assert not is_finite(array[1, 2, ...])


def test_numbers_whose_squares_do_not_fit_are_finite() -> None:
    assert is_finite(np.full(3, -1e200))
    assert is_finite(np.full((), 1e308))
    assert is_finite(np.array([1e30, -1e30], dtype=np.float32))


def test_infinities_of_both_signs_do_not_cancel() -> None:
    assert not is_finite(np.array([np.inf, -np.inf]))


def test_the_range_of_a_type_is_said_in_words() -> None:
    assert range_of(np.dtype(np.float64)) == "float64, whose largest number is about 1.8e308"
    assert range_of(np.dtype(np.float32)) == "float32, whose largest number is about 3.4e38"


@pytest.mark.parametrize(
    ("shape", "columns"),
    [((4,), (1,)), ((3, 4), (3, 1)), ((2, 3, 4), (2, 3, 1)), ((2, 3, 4), (2, 1, 1)), ((1, 3, 4), (2, 3, 1))],
)
def test_one_entry_a_row_is_what_take_along_axis_takes(shape: tuple[int, ...], columns: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    array, index = rng.normal(size=shape), rng.integers(0, shape[-1], columns)
    np.testing.assert_array_equal(array[along_last(array, index)], np.take_along_axis(array, index, axis=-1))
