"""Texts that may mean two things are never read as other numbers: the reader says where they do."""

import numpy as np
import pytest

from core.answers import read_answer

PAIR = ((0.25, -0.5), (0.75, 0.5))


@pytest.mark.parametrize(
    ("text", "shape", "column", "word"),
    [
        ("[0,25; 0,5; 0,75]", (1, 3), 3, "0,25"),
        ("[0,25, 0,5, 0,75]", (3,), 3, "0,25"),
        ("[[0,25, -0,5], [0,75, 0,5]]", (2, 2), 4, "0,25"),
        ("[[0,25; -0,5]; [0,75; 0,5]]", (2, 2), 4, "0,25"),
        ("(0,25 | 0,5)", (2,), 3, "0,25"),
        ("[761,995.125]", (), 5, "thousands"),
        ("{1,234.5}", (), 3, "thousands"),
        ("7,61,995.125", (), 2, "thousands"),
        ("761 995.125", (), 4, "thousands"),
        ("1\u2009234.5 0.5", (2,), 2, "thousands"),
        ("[1 234.5]", (), 3, "thousands"),
        ("2 1/2", (), 2, "whole number before a fraction"),
        ("[2 ½, 1/4]", (2,), 3, "whole number before a fraction"),
        ("2 \\frac{1}{2}", (), 2, "whole number before a fraction"),
        ("0.25\t(0.5)\n0.75\t0.5", (2, 2), 6, "round brackets"),
        ("(1) 0.25 (2) 0.5", (2,), 1, "round brackets"),
        ("- 0.25\n- 0.5", (2,), 1, "dash"),
        ("S:\n- 0.25\n- 0.5\n", (2,), 1, "dash"),
        ("- - 0.25\n  - 0.5\n- - 0.75\n  - 0.5", (2, 2), 1, "square brackets"),
        ("0.25f64 0.5f64", (2,), 5, "letter"),
    ],
)
def test_a_doubtful_text_is_refused_at_its_place(text: str, shape: tuple[int, ...], column: int, word: str) -> None:
    reading = read_answer(text, shape=shape).reading
    assert reading is not None
    assert reading.column == column
    assert word in reading.message


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("[0,25]", (0.0, 25.0)),
        ("761 995.125", (761.0, 995.125)),
        ("2 1/2", (2.0, 0.5)),
        ("[[1,2],[3,4]]", ((1.0, 2.0), (3.0, 4.0))),
        ("[[0.25, (-0.5)], [(0.75), 0.5]]", None),
        ("(0.25) (0.5)", (0.25, 0.5)),
        ("(1/2), 0.25", (0.5, 0.25)),
        ("- [0.25, -0.5]\n- [0.75, 0.5]", PAIR),
        ("dW:\n  - [0.25, -0.5]\n  - [0.75, 0.5]\n", PAIR),
        ("- 0.25\n- -0.5", ((0.25,), (-0.5,))),
        ("− 0.25\n− 0.5", ((-0.25,), (-0.5,))),
        ("- 0.25", -0.25),
        ("[[0.25, ─0.5], [0.75, 0.5]]", PAIR),
        ("│ 0.25  ─0.5 │\n│ 0.75   0.5 │", PAIR),
        ("0.5f0 25f-2", (0.5, 0.25)),
        ("5f1", 50.0),
        ("(tensor([[0.25, -0.5], [0.75, 0.5]]),)", PAIR),
        ("array([[0.25, -0.5], [0.75, 0.5]]),", PAIR),
        (",s\n0,0.25\n1,-0.5\n", (0.25, -0.5)),
        ("        s\n0  0.25\n1 -0.5", ((0.25,), (-0.5,))),
        ("{0.25f, -0.5f}", (0.25, -0.5)),
        ("dW -> [0.25, -0.5]", (0.25, -0.5)),
        ("dW => [0.25, -0.5].", (0.25, -0.5)),
        ("[3]: array([0.25, -0.5])", (0.25, -0.5)),
        ("<EagerTensor: shape=(2,), dtype=float32, numpy=array([0.25, -0.5], dtype=float32)>", (0.25, -0.5)),
        ("\\frac{1}{4} Fraction(-1, 2)", (0.25, -0.5)),
        ("<table><tr><td><b>0.25</b></td><td>-0.5</td></tr><tr><td>0.75<td><b>0.5</b></tr></table>", PAIR),
        ("0.25 0.5 \\\\", (0.25, 0.5)),
    ],
)
def test_what_means_one_thing_is_read(text: str, numbers: object) -> None:
    if numbers is None:
        assert read_answer(text).reading is not None
        return
    expected = np.array(numbers)
    value = read_answer(text, shape=expected.shape).value
    assert value is not None
    np.testing.assert_array_equal(value, expected, strict=True)
