"""Answers as JSON values, and what holds however an answer is written."""

import json
import math
import sys

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from core.answers import Answer, ReadingFault, count_decimals, read_answer
from core.arrays import Array

FINITE = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.floats(-1000, 1000).map(lambda number: round(number, 3)),
    st.integers(-99, 99).map(float),
)
ANY = st.one_of(FINITE, st.just(math.nan), st.just(math.inf), st.just(-math.inf))
SHAPES = st.one_of(st.just(()), array_shapes(max_dims=4, max_side=4), st.tuples(st.integers(1, 80)))
JSON_VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.floats(), st.integers(), st.text(max_size=3)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=2), inner, max_size=2)),
)
PIECES = [
    *"0123456789.,;/+-eE()[]{}<>='\"%*^ \n\t",
    *("\r\n", "\u2212", "\xa0", "\ufeff", "\u2028", "\uff11", "\ud800", "é", "...", "0,5", "1.5", " 1/3", ", ", "\n "),
    *("nan", "inf", "None", "true", "array(", "np.float64(", "dtype=", "dW =", "j", "x"),
]


def assert_reads_as(raw: object, expected: Array, decimals: int | None) -> None:
    """Check that an answer is read as these numbers, to the last bit, with these decimals."""
    answer = read_answer(raw)
    assert answer.reading is None
    assert answer.value is not None
    assert answer.value.dtype.name == "float64"
    assert answer.value.shape == expected.shape
    np.testing.assert_array_equal(answer.value, expected)
    assert decimals is None or max(0, int(count_decimals(answer.value).max())) == decimals


@pytest.mark.parametrize(
    ("raw", "expected", "decimals"),
    [
        (5, 5, 0),
        (0.5, 0.5, 1),
        (-0.0, -0.0, 0),
        (1e-7, 1e-7, 7),
        (1.5e-7, 1.5e-7, 8),
        (1e22, 1e22, 0),
        (1.5e300, 1.5e300, 0),
        (5e-324, 5e-324, 324),
        (10**400, math.inf, None),
        (-(10**400), -math.inf, None),
        (math.nan, math.nan, None),
        ([1, 0.25], [1, 0.25], 2),
        ([math.nan, 0.5], [math.nan, 0.5], 1),
        ([[1, 2], [3, 4]], [[1, 2], [3, 4]], 0),
        ([[[0.125]]], [[[0.125]]], 3),
        ([[[[[[[[1]]]]]]]], [[[[[[[[1]]]]]]]], 0),
        # texts of one number each
        ("0.5", 0.5, 1),
        ([["0.06", "-0,5"], [" 1/4 ", "nan"]], [[0.06, -0.5], [0.25, math.nan]], 2),
        (["1/3", "19%"], [1 / 3, 0.19], 16),
        (["1/3"], [1 / 3], 16),
        # NumPy
        (np.float64(0.25), 0.25, 2),
        (np.float32(0.1), 0.10000000149011612, 1),
        (np.float16(0.5), 0.5, 1),
        (np.longdouble("0.1"), 0.1, 1),
        (np.int8(-3), -3, 0),
        (np.uint64(2**63), 2.0**63, 0),
        (np.array([[0.5, 1], [2, 3]]), [[0.5, 1], [2, 3]], 1),
        (np.array(0.5), 0.5, 1),
        (np.array([0.5, 0.25], dtype=np.float32), [0.5, 0.25], 2),
        (np.array([1, 2], dtype=np.int32), [1, 2], 0),
        (np.array(["0.5", "1/4"]), [0.5, 0.25], 2),
        ([np.array([1.0, 2.0]), [np.float64(3), 4]], [[1, 2], [3, 4]], 0),
        ([np.array(1.0), np.float32(2)], [1, 2], 0),
    ],
)
def test_a_json_value_is_read(raw: object, expected: object, decimals: int | None) -> None:
    assert_reads_as(raw, np.array(expected, dtype=np.float64), decimals)


@pytest.mark.parametrize(
    ("raw", "row", "column", "message"),
    [
        (None, 1, 1, "found null; needed a number"),
        (True, 1, 1, "found true or false"),
        ({"a": 1}, 1, 1, "found an object"),
        ((1, 2), 1, 1, "found something that is not JSON"),
        (b"1", 1, 1, "found something that is not JSON"),
        (1j, 1, 1, "found a complex number"),
        (np.array([1j]), 1, 1, "found a complex number"),
        (np.complex64(1), 1, 1, "found a complex number"),
        (np.array([True]), 1, 1, "found true or false"),
        (np.bool_(1), 1, 1, "found true or false"),
        (np.array([1, None]), 1, 2, "found null"),
        (np.array(["x"]), 1, 1, "found a word"),
        (np.array([b"1"]), 1, 1, "found something that is not JSON"),
        (np.zeros((2, 0)), 1, 1, "found an empty list"),
        (np.zeros((1,) * 9), 1, 1, "found more than 8 brackets inside each other"),
        ([np.array([1.0, 2.0]), [3, None]], 2, 2, "found null"),
        ([0.5, "1 2"], 1, 2, "found 2 numbers in the text of one entry"),
        ([0.5, "1,234"], 1, 2, "found 1,234: it may be 1.234 or 1234"),
        ([[0.5], ["__import__('os')"]], 2, 1, "found a function"),
        ([1, None], 1, 2, "found null"),
        ([False], 1, 1, "found true or false"),
        ([[1, 2], [3, {}]], 2, 2, "found an object"),
        ([[1, 2], None], 2, 1, "found null"),
        ([None, [1, 2]], 1, 1, "found null"),
        ([[[1, 2], [3, 4]], [[5, 6], [7, None]]], 4, 2, "found null"),
        ([], 1, 1, "found an empty list"),
        ([[]], 1, 1, "found an empty list"),
        ([[1], []], 2, 1, "found an empty list"),
        ([[1, 2], [3]], 2, 2, "found a list of length 1; needed length 2"),
        ([[1, 2], [3, 4, 5]], 2, 3, "found a list that is too long; needed length 2"),
        ([[[1], [2]], [[3]]], 4, 1, "found a list of length 1; needed length 2"),
        ([[[1]], [[2], [3]]], 3, 1, "found a list that is too long; needed length 1"),
        ([[[1], [2]], [[3], [4, 5]]], 4, 2, "found a list that is too long; needed length 1"),
        ([1, [2]], 1, 2, "found a list where its neighbours are numbers"),
        ([[1], 2], 2, 1, "found a number where its neighbours are lists"),
        ([[[[[[[[[1]]]]]]]]], 1, 1, "found more than 8 brackets inside each other"),
    ],
)
def test_a_json_value_that_is_no_array_is_located(raw: object, row: int, column: int, message: str) -> None:
    answer = read_answer(raw)
    assert answer.value is None
    assert answer.reading is not None
    assert (answer.reading.row, answer.reading.column) == (row, column)
    assert answer.reading.message.startswith(message)


def test_a_list_that_holds_itself_is_too_deep() -> None:
    raw: list[object] = []
    raw.append(raw)
    assert read_answer(raw).value is None


@pytest.mark.parametrize(
    "raw",
    [[1, 2, 3], [[1], [2], [3]], np.ones(3), np.ones((3, 1)), "1 2 3", "[1, 2, 3]", "1/2; 1/3; 1/4", "nan nan nan"],
)
def test_more_numbers_than_allowed_are_refused(raw: object) -> None:
    assert read_answer(raw, most_numbers=3).value is not None
    answer = read_answer(raw, most_numbers=2)
    assert answer.reading is not None
    assert answer.reading.message == "found more than 2 numbers; needed at most that many"


@pytest.mark.parametrize(
    ("value", "reading"), [(None, None), (np.zeros(2), ReadingFault(row=1, column=1, message="found nothing"))]
)
def test_an_answer_has_either_a_value_or_a_reading(value: Array | None, reading: ReadingFault | None) -> None:
    with pytest.raises(ValueError, match="either a value or the reason"):
        Answer(value=value, reading=reading)


@settings(deadline=None)  # a dozen texts of each
@given(arrays(np.float64, SHAPES, elements=ANY))
@example(np.linspace(-1.0, 1.0, 75))
@example(np.array([0.1234567890123456, *[1.0] * 30]))
@example(np.array([[[-1.25e-300, 1.0]] * 3, [[math.nan, math.inf]] * 3]))
def test_an_array_is_the_same_however_it_is_written(array: Array) -> None:
    assert_reads_as(array.tolist(), array, None)
    for text in (json.dumps(array.tolist()), json.dumps(array.tolist(), indent=2), repr(array.tolist())):
        assert_reads_as(text, array, None)
        assert_reads_as(text.replace("-", "\u2212"), array, None)
        assert_reads_as(text.replace(" ", "\xa0").replace("\n", "\r\n"), array, None)
    with np.printoptions(floatmode="unique", threshold=sys.maxsize):
        for text in (
            np.array_repr(array),
            np.array2string(array),
            f"answer =\n{array}\n",
            str(list(array.reshape(-1))),
        ):
            expected = array.reshape(-1) if "float64" in text or text[:2] == "[]" else array
            assert_reads_as(text, expected, None)


@given(arrays(np.float64, SHAPES, elements=st.floats(-1000, 1000)), st.integers(0, 6), st.sampled_from([75, 100]))
def test_a_rounded_print_is_read_as_printed(array: Array, decimals: int, width: int) -> None:
    with np.printoptions(threshold=sys.maxsize, floatmode="fixed", suppress=True, linewidth=width):
        answer = read_answer(np.array2string(array, precision=decimals))
    assert answer.value is not None
    np.testing.assert_allclose(answer.value, array, rtol=0, atol=0.5 * 10.0**-decimals + 1e-9)
    assert answer.value.shape == array.shape
    assert count_decimals(answer.value).max() <= decimals


@given(arrays(np.int64, SHAPES, elements=st.integers(-(10**6), 10**6)))
def test_a_print_of_integers_is_read(array: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> None:
    with np.printoptions(threshold=sys.maxsize):
        assert_reads_as(str(array), array.astype(np.float64), 0)
        assert_reads_as(repr(array), array.astype(np.float64), 0)


@given(
    arrays(np.float64, array_shapes(min_dims=2, max_dims=2, min_side=2, max_side=5), elements=ANY),
    st.sampled_from([" ", ", ", ",", "\t", "   "]),
    st.sampled_from(["; ", ";", "\n", ";\n", "\r\n"]),
    st.sampled_from(["{}", "{};", "{}\n", "\n{}", "dW =\n\n{}\n\n"]),
)
def test_rows_are_read_as_matlab_prints_them(array: Array, between: str, below: str, frame: str) -> None:
    array = np.where(array == 0.0, 0.5, array)  # 0,5 in every row would be a decimal comma
    text = below.join(between.join(map(repr, row)) for row in array.tolist())
    assert_reads_as(frame.format(text), array, None)
    if ";" in below:  # line breaks in brackets are rows for narrow lines only
        assert_reads_as(f"[{text}]", array, None)


@given(st.one_of(st.text(), st.lists(st.sampled_from(PIECES), max_size=30).map("".join)))
@example("\ufeff\ufeff")
@example("dW =")
def test_any_text_is_read_or_located_in_itself(text: str) -> None:
    answer = read_answer(text)
    if answer.reading is None:
        assert answer.value is not None
        return
    lines = text.removeprefix("\ufeff").splitlines() or [""]
    assert 1 <= answer.reading.row <= len(lines)
    assert 1 <= answer.reading.column <= max(1, len(lines[answer.reading.row - 1]))
    assert all(character.isascii() and character.isprintable() for character in answer.reading.message)


@given(JSON_VALUES)
def test_any_json_value_is_read_or_located(raw: object) -> None:
    answer = read_answer(raw)
    assert (answer.value is None) == (answer.reading is not None)
