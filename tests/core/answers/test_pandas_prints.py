"""What pandas prints and writes is read without its index and header."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from core.answers import read_answer

SHAPES = [(1, 1), (1, 5), (2, 2), (3, 2), (12, 3), (2, 12)]
FRAMES: dict[str, Callable[[pd.DataFrame], str]] = {
    "str": str,
    "csv": lambda frame: frame.to_csv(),
    "csv without an index": lambda frame: frame.to_csv(index=False),
    "csv without a header": lambda frame: frame.to_csv(header=False, index=False),
    "German csv": lambda frame: frame.to_csv(sep=";", decimal=","),
    "tabs": lambda frame: frame.to_csv(sep="\t"),
    "html": lambda frame: frame.to_html(),
    "text": lambda frame: frame.to_string(),
    "text without an index": lambda frame: frame.to_string(index=False),
    "narrow text": lambda frame: frame.to_string(line_width=30),
    "lists": lambda frame: str(frame.to_numpy().tolist()),
}


@pytest.mark.parametrize("way", FRAMES)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("names", ["counted", "named"])
def test_frames_are_read_as_their_numbers(way: str, shape: tuple[int, int], names: str) -> None:
    if names == "counted" and shape == (1, 1) and "without an index" in way:
        pytest.skip("a header 0 over one number may be two numbers")
    numbers = np.random.default_rng(7).standard_normal(shape).round(4)
    columns = [f"w{index}" for index in range(shape[1])] if names == "named" else range(shape[1])
    frame = pd.DataFrame(numbers, columns=columns)
    with pd.option_context("display.max_columns", None, "display.width", 60, "display.precision", 4):
        text = FRAMES[way](frame)
    answer = read_answer(text, shape=shape)
    assert answer.value is not None, (text, answer.reading)
    np.testing.assert_array_equal(answer.value.reshape(shape), numbers)


@pytest.mark.parametrize("size", [1, 2, 5, 12])
@pytest.mark.parametrize("name", [None, "S", 0])
def test_series_are_read_as_their_numbers(size: int, name: object) -> None:
    numbers = np.random.default_rng(7).standard_normal(size).round(4)
    answer = read_answer(str(pd.Series(numbers, name=name)), shape=(1, size))
    assert answer.value is not None
    np.testing.assert_array_equal(answer.value, numbers)
