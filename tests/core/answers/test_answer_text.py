"""Answers as text: what is read, and where and why anything else is not."""

import math

import numpy as np
import pytest

from core.answers import count_decimals, read_answer

NAN, INF = math.nan, math.inf
EIGHT = "0.12345678 0.12345678 0.12345678 0.12345678 0.12345678 0.12345678"
TALL = "\n ".join(["1.00000000e-300 1.00000000e-300 1.00000000e-300 1.00000000e-300"] * 2)
LONG = "-1.2345678901234567e-100"


@pytest.mark.parametrize(
    ("text", "expected", "decimals"),
    [
        # JSON and Python
        ("5", 5, 0),
        ("0.50", 0.5, 1),
        ("12", 12, 0),
        ("3e-4", 3e-4, 4),
        ("1.5e2", 150, 0),
        ("0.1000000000000000055", 0.1, 1),
        ("[5]", [5], 0),
        ("[[1, 2], [3, 4]]", [[1, 2], [3, 4]], 0),
        ("[[1,2],[3,4]]", [[1, 2], [3, 4]], 0),
        ("[[1, 2],\n [3, 4]]", [[1, 2], [3, 4]], 0),
        ("[\n  1,\n  2\n]", [1, 2], 0),
        ("[1\n,2]", [1, 2], 0),
        ("[0,\n5 6]", [0, 5, 6], 0),
        ("[1, 2,]", [1, 2], 0),
        ("(1, 2)", [1, 2], 0),
        ("((1, 2), (3, 4))", [[1, 2], [3, 4]], 0),
        ("[(1, 2), (3, 4)]", [[1, 2], [3, 4]], 0),
        ("(1,)", [1], 0),
        ("(1)", 1, 0),
        ("((1))", 1, 0),
        ("((1, 2))", [1, 2], 0),
        ("[(1), (2)]", [1, 2], 0),
        ("[[[[[[[[1]]]]]]]]", [[[[[[[[1]]]]]]]], 0),
        ("1,", [1], 0),
        ("1, 2", [1, 2], 0),
        ("[1, 2], [3, 4]", [[1, 2], [3, 4]], 0),
        # wrappers
        ("array([[1., 2.],\n       [3., 4.]])", [[1, 2], [3, 4]], 0),
        ("np.array([1, 2])", [1, 2], 0),
        ("numpy.asarray(\n[1, 2]\n)", [1, 2], 0),
        ("array(0.5)", 0.5, 1),
        ("np.float64(0.5)", 0.5, 1),
        ("[np.float64(0.5), np.float64(0.25)]", [0.5, 0.25], 2),
        ("np.float64(0),np.float64(5)", [0, 5], 0),
        ("array([1., 2.], dtype=float32)", [1, 2], 0),
        ("array([1., 2.],\n      dtype=float32)", [1, 2], 0),
        ("array([1., 2.], float)", [1, 2], 0),
        ("array([1., 2.],)", [1, 2], 0),
        ("tensor([1., 2.], grad_fn=<MulBackward0>)", [1, 2], 0),
        ("torch.tensor([1.], device='cuda:0', size=f(1, (2)))", [1], 0),
        ("Array([1., 2.], dtype=float32, weak_type=True)", [1, 2], 0),
        ("jax.numpy.array([1])", [1], 0),
        ("matrix([[1, 2]])", [[1, 2]], 0),
        ("[array([1, 2]), array([3, 4])]", [[1, 2], [3, 4]], 0),
        # NumPy prints
        ("[1. 2.]", [1, 2], 0),
        ("[[1. 2.]\n [3. 4.]]", [[1, 2], [3, 4]], 0),
        ("[[[1. 2.]]\n\n [[3. 4.]]]", [[[1, 2]], [[3, 4]]], 0),
        ("[ 1.   -0.25]", [1, -0.25], 2),
        (f"[{EIGHT}\n {EIGHT}]", [0.12345678] * 12, 8),
        (f"[{TALL}]", [1e-300] * 8, 300),
        (f"[{LONG} {LONG}\n {LONG}]", [float(LONG)] * 3, 116),
        ("[1.         1.         1.         1.         1.         1.\n 0.12345678]", [1] * 6 + [0.12345678], 8),
        (f"[                     nan {LONG}\n {LONG}]", [NAN] + [float(LONG)] * 2, 116),
        (f"[{'  1' * 24}\n 100]", [1] * 24 + [100], 0),
        ("[1. .5 -0. +2 3e-4 1E5 1.e1]", [1, 0.5, -0.0, 2, 3e-4, 1e5, 10], 4),
        # rows
        ("1 2 3", [1, 2, 3], 0),
        ("1 2; 3 4", [[1, 2], [3, 4]], 0),
        ("[1 2; 3 4]", [[1, 2], [3, 4]], 0),
        ("[1, 2; 3, 4];", [[1, 2], [3, 4]], 0),
        ("(1 2; 3 4)", [[1, 2], [3, 4]], 0),
        ("[1 2;\n 3 4;\n]", [[1, 2], [3, 4]], 0),
        ("[1 2\n3 4]", [[1, 2], [3, 4]], 0),
        ("[1;2;3]", [[1], [2], [3]], 0),
        ("[1\n2\n3]", [[1], [2], [3]], 0),
        ("[1/2 1/3\n1/4 1/5]", [[1 / 2, 1 / 3], [1 / 4, 1 / 5]], None),
        ("1\n2", [[1], [2]], 0),
        ("1, 2,\n3, 4,\n", [[1, 2], [3, 4]], 0),
        ("5;", 5, 0),
        ("5\n", 5, 0),
        ("\n  1 2\n\n  3 4\n\n", [[1, 2], [3, 4]], 0),
        ("[1 2]\n[3 4]", [[1, 2], [3, 4]], 0),
        ("[1 2]; [3 4]", [[1, 2], [3, 4]], 0),
        ("[[1 2]; [3 4]]", [[1, 2], [3, 4]], 0),
        ("matrix([1 2; 3 4])", [[1, 2], [3, 4]], 0),
        ("dW = [1 2; 3 4]", [[1, 2], [3, 4]], 0),
        ("ans =\n\n     1     2\n     3     4\n\n", [[1, 2], [3, 4]], 0),
        ("dL/dW1 = 0.5", 0.5, 1),
        # numbers
        ("1/3", 1 / 3, None),
        ("-2/5 1 / 4", [-0.4, 0.25], None),
        ("[1/3, 0.25]", [1 / 3, 0.25], 16),
        ("1/-4", -0.25, None),
        ("\u22121 \u20102 \u20113 \u20134 \ufe635 \uff0d6", [-1, -2, -3, -4, -5, -6], 0),
        ("1\xa02\u20093\t4\u30005", [1, 2, 3, 4, 5], 0),
        ("\ufeff1", 1, 0),
        ("nan NaN inf -inf Infinity +INF", [NAN, NAN, INF, -INF, INF, INF], None),
        ("[np.nan, -np.inf, nan]", [NAN, -INF, NAN], None),
        ("1e999", INF, None),
        ("-1e999", -INF, None),
        ("1" * 5000, INF, None),
        ("0." + "0" * 5000 + "1", 0, 0),
        # commas
        ("1,2,3", [1, 2, 3], 0),
        ("[0,1,0]", [0, 1, 0], 0),
        ("0,1,0", [0, 1, 0], 0),
        ("[0,5]", [0, 5], 0),
        ("0, 5", [0, 5], 0),
        ("[1,5]", [1, 5], 0),
        ("0,1.5", [0, 1.5], 1),
        ("1.5,2; 0,1", [[1.5, 2], [0, 1]], 1),
        ("0,5\n1 2", [[0, 5], [1, 2]], 0),
    ],
)
def test_text_is_read(text: str, expected: object, decimals: int | None) -> None:
    answer = read_answer(text)
    assert answer.reading is None
    assert answer.value is not None
    array = np.array(expected, dtype=np.float64)
    assert answer.value.shape == array.shape
    np.testing.assert_array_equal(answer.value, array)
    np.testing.assert_array_equal(np.signbit(answer.value), np.signbit(array))
    assert decimals is None or max(0, int(count_decimals(answer.value).max())) == decimals


@pytest.mark.parametrize(
    ("text", "row", "column", "message"),
    [
        # nothing there
        ("", 1, 1, "found an empty text"),
        (" \n ", 1, 1, "found an empty text"),
        (";", 1, 1, "found an empty text"),
        ("dW =", 1, 1, "found an empty text"),
        ("[]", 1, 2, "found an empty list"),
        ("()", 1, 2, "found an empty list"),
        ("[[1],\n []]", 2, 3, "found an empty list"),
        ("array()", 1, 6, "found empty brackets"),
        ("None", 1, 1, "found a missing value"),
        ("[1, null]", 1, 5, "found a missing value"),
        ("true", 1, 1, "found a truth value"),
        # shape
        ("[1 2; 3]", 1, 7, "found a list of length 1; needed length 2"),
        ("1 2\n3 4 5", 2, 5, "found a list that is too long; needed length 2"),
        ("[[1, 2], [3]]", 1, 12, "found a list of length 1; needed length 2"),
        ("[1, [2]]", 1, 5, "found a list where its neighbours are numbers"),
        ("[[1], 2]", 1, 7, "found a number where its neighbours are lists"),
        ("[[1] [2]; [3] [4]]", 1, 6, "found several entries with brackets in a row"),
        ("[" * 9 + "1" + "]" * 9, 1, 9, "found more than 8 brackets inside each other"),
        ("[" * 8 + "1;2" + "]" * 8, 1, 9, "found more than 8 brackets inside each other"),
        ("(" * 9 + "1" + ")" * 9, 1, 9, "found more than 8 brackets inside each other"),
        ("array(" * 9 + "1" + ")" * 9, 1, 49, "found more than 8 brackets inside each other"),
        # brackets
        ("[1, 2", 1, 1, "found [ that is never closed; needed ]"),
        ("[[1, 2]\n [3, 4]", 1, 1, "found [ that is never closed"),
        ("array([1]", 1, 6, "found ( that is never closed; needed )"),
        ("array(", 1, 6, "found ( that is never closed"),
        ("array([1], dtype=", 1, 6, "found ( that is never closed"),
        ("1]", 1, 2, "found ] without the bracket that it closes"),
        ("[1)", 1, 3, "found ); needed ] to close ["),
        ("array([1]]", 1, 10, "found ]; needed ) to close ("),
        ("array(]", 1, 7, "found ]; needed ) to close ("),
        ("array(1, 2)", 1, 10, "found more than one entry in a wrapper"),
        ("array([1]; [2])", 1, 10, "found more than one entry in a wrapper"),
        ("array([1], a=" + "x " * 2000 + ")", 1, 6, "found a bracket that is closed too far on"),
        ("1}", 1, 2, "found } without the bracket that it closes"),
        # commas
        ("1,,2", 1, 3, "found a comma with no number before it"),
        ("[,1]", 1, 2, "found a comma with no number before it"),
        ("[1;,2]", 1, 4, "found a comma with no number before it"),
        ("0,5", 1, 2, "found 0,5: it may be 0.5 or the two numbers 0 and 5"),
        ("-0,5", 1, 3, "found -0,5: it may be -0.5 or the two numbers -0 and 5"),
        ("0,5e-3", 1, 2, "found 0,5e-3: it may be 0.5e-3 or the two numbers 0 and 5e-3"),
        ("0,1", 1, 2, "found 0,1: it may be 0.1 or the two numbers 0 and 1"),
        ("0,5 0,25", 1, 2, "found 0,5: it may be 0.5 or the two numbers 0 and 5"),
        ("1,5279", 1, 2, "found 1,5279: it may be 1.5279 or the two numbers 1 and 5279"),
        ("1,5 2,5", 1, 2, "found 1,5: it may be 1.5 or the two numbers 1 and 5"),
        ("1 2,5", 1, 4, "found 2,5: it may be 2.5 or the two numbers 2 and 5"),
        ("0,5; 0,25", 1, 2, "found 0,5: it may be 0.5 or the two numbers 0 and 5"),
        ("1,5\n0,25\n", 1, 2, "found 1,5: it may be 1.5 or the two numbers 1 and 5"),
        ("[0,5 0,25]", 1, 3, "found 0,5: it may be 0.5 or the two numbers 0 and 5"),
        ("[1, 2;\n0,5 0,25]", 2, 2, "found 0,5: it may be 0.5 or the two numbers 0 and 5"),
        ("[[0,5 0,25] [1 2]]", 1, 4, "found 0,5: it may be 0.5 or the two numbers 0 and 5"),
        # numbers
        ("[0. 1. ... 9.]", 1, 8, "found dots, with which a print leaves numbers out"),
        ("[0. 1. \u2026 9.]", 1, 8, "found dots, with which a print leaves numbers out"),
        ("[[0 1]\n ...\n [8 9]]", 2, 2, "found dots, with which a print leaves numbers out"),
        ("[0. 1. ...\n 8. 9.]", 1, 8, "found dots, with which a print leaves numbers out"),
        ("1..2", 1, 3, "found two entries with nothing between them"),
        ("[1][2]", 1, 4, "found two entries with nothing between them"),
        ("2(3)", 1, 2, "found two entries with nothing between them"),
        ("1.5nan", 1, 4, "found two entries with nothing between them"),
        ("--1", 1, 1, "found - with no number right after it"),
        ("1 - 2", 1, 3, "found - with no number right after it"),
        ("1-2", 1, 2, "found - between two numbers; nothing is calculated"),
        ("1--2", 1, 2, "found - between two numbers; nothing is calculated"),
        ("2*3", 1, 2, "found *; nothing is calculated"),
        ("1 2 /", 1, 5, "found / with no number after it"),
        ("1/x", 1, 2, "found / with no number after it"),
        ("/3", 1, 1, "found / with no number before it"),
        ("[1, /3]", 1, 5, "found / with no number before it"),
        ("1/0", 1, 3, "found a fraction with denominator 0"),
        ("[1, 1/-0.0]", 1, 7, "found a fraction with denominator 0"),
        ("1/2/3", 1, 4, "found a second / in a fraction"),
        ("1+2j", 1, 2, "found a complex number"),
        ("[1, 3i]", 1, 6, "found a complex number"),
        ("% 5", 1, 1, "found % with no number before it"),
        # words and signs
        ("x", 1, 1, "found a word; needed only numbers"),
        ("1 2\n3 four", 2, 3, "found a word; needed only numbers"),
        ("3 m", 1, 3, "found a word; needed only numbers"),
        ("array", 1, 1, "found a word; needed only numbers"),
        ("3m", 1, 2, "found a letter right after a number"),
        ("0x10", 1, 2, "found a letter right after a number"),
        ("1_000", 1, 2, "found what looks like a thousands separator"),
        ("1_0", 1, 2, "found a letter right after a number"),
        ("1'234.5", 1, 2, "found what looks like a thousands separator"),
        ("0.1909... 0.2", 1, 7, "found dots right after digits"),
        ("matrix(c(1, 2, 3, 4), nrow=2)", 1, 8, "found a function"),
        ("sqrt(2)", 1, 1, "found a function"),
        ("os.array(2)", 1, 1, "found a function"),
        ('"1', 1, 1, 'found " that is never closed'),
        ("[1 2]'", 1, 6, "found ' right after a number or bracket; nothing is calculated"),
        ("a = b = 1", 1, 5, "found a second name"),
        ("a == 1", 1, 1, "found a word; needed only numbers"),
        ("1 = 2", 1, 3, "found =; needed at most one name"),
        ("1 < 2", 1, 3, "found <; needed numbers"),
        ("1 é", 1, 3, "found a letter of another script"),
        ("1\u200b2", 1, 2, "found an invisible character inside a number"),
        ("\ud800", 1, 1, "found a control character"),
        ("1 \u2211", 1, 3, "found a sign that is not ASCII"),
        ("1 \u2461", 1, 3, "found a digit or number sign of another script"),
        ("1 2\r\n3 ?", 2, 3, "found ?; needed numbers"),
        ("dW =\n\n 1 2\n 3 ?", 4, 4, "found ?; needed numbers"),
    ],
)
def test_text_that_cannot_be_read_is_located(text: str, row: int, column: int, message: str) -> None:
    answer = read_answer(text)
    assert answer.value is None
    assert answer.reading is not None
    assert answer.reading.message.startswith(message)
    assert (answer.reading.row, answer.reading.column) == (row, column)
