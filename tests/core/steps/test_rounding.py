"""Rounding to decimals: what writing numbers down adds to their error."""

import numpy as np
import pytest

from core.arrays import Array
from core.steps import Rounding
from core.steps.rounding import MAX_BOUND_UNITS


@pytest.mark.parametrize(
    ("value", "error", "added"),
    [
        # an exact number that two decimals write in full stays exact, whatever float64 makes of it
        ([0.25, 1.1 * 3.0, -2.0, 0.0], 0.0, [0.0, 0.0, 0.0, 0.0]),
        ([0.125, 1e-9], 0.0, [0.005, 0.005]),
        # one that is not exact may be any other
        ([0.25, 0.25], [0.0, 1e-12], [0.0, 0.005]),
        ([0.25, 0.125], [1e-3, 1e-3], [0.005, 0.005]),
        ([1e15 + 0.25], 0.0, [0.0]),
    ],
)
def test_a_written_number_errs_by_half_a_unit_at_most(value: list[float], error: Array | float, added: Array) -> None:
    found = Rounding(2).of(np.array(value), np.asarray(error))
    np.testing.assert_array_equal(np.broadcast_to(found, len(value)), added)


def test_no_error_of_writing_is_larger_than_its_bound() -> None:
    values = np.random.default_rng(0).uniform(-3.0, 3.0, 1_000)
    for decimals in range(7):
        written = np.abs(np.round(values, decimals) - values)
        assert (written <= Rounding(decimals).of(values)).all()
        assert written.max() > 0.98 * float(Rounding(decimals).of(values).max())


def test_errors_too_large_to_follow_are_capped() -> None:
    largest = MAX_BOUND_UNITS * 0.001
    np.testing.assert_array_equal(
        Rounding(3).cap(np.array([0.01, np.inf, np.nan, 5.0])), [0.01, largest, largest, largest]
    )
