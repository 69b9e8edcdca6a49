"""Forms of text: every example of every form, what people paste, and where the shape decides."""

import math

import numpy as np
import pytest

from core.answers import FORMS, Example, Form, read_answer
from core.answers.forms import Rewrite

NAN = math.nan
SQUARE = [[0.0636, -0.0636], [-0.4774, 0.4774]]
FIVE = [0.19, 0.2, 0.22, 0.23, 0.16]
EXAMPLES = [(form.name, example) for form in FORMS.values() for example in form.examples]


def assert_reads_as(text: str, numbers: object, shape: tuple[int, ...] | None) -> None:
    """Check that a text is read as these numbers to the last bit, leading axes of one entry aside."""
    answer, expected = read_answer(text, shape=shape), np.array(numbers, dtype=np.float64)
    assert answer.reading is None
    assert answer.value is not None
    assert answer.value.size == expected.size
    found = answer.value.reshape(expected.shape) if answer.value.shape in {expected.shape[1:], (1,)} else answer.value
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(np.signbit(found), np.signbit(expected))


@pytest.mark.parametrize(("name", "example"), EXAMPLES, ids=[f"{name}-{e.text[:12]!r}" for name, e in EXAMPLES])
@pytest.mark.parametrize("frame", ["{}", "{}\n", "\n{}\n\n"])
def test_every_example_of_a_form_means_its_numbers(name: str, example: Example, frame: str) -> None:
    shape = np.array(example.numbers, dtype=np.float64).shape
    assert_reads_as(frame.format(example.text), example.numbers, shape)
    assert_reads_as(frame.format(example.text), example.numbers, (1, *shape))


@pytest.mark.parametrize("name", FORMS)
def test_a_form_has_examples_and_a_title_for_readers(name: str) -> None:
    form = FORMS[name]
    assert form.title
    assert len({example.text for example in form.examples}) == len(form.examples)


@pytest.mark.parametrize(
    "entry",
    [
        {"examples": ()},
        {"pieces": (Rewrite("a", "nothing known"),)},
        {"starts": (Rewrite("a*"),)},
    ],
)
def test_a_form_that_cannot_work_is_refused(entry: dict[str, object]) -> None:
    whole = {"name": "x", "title": "x", "examples": (Example("1", 1.0),), **entry}
    with pytest.raises(ValueError, match="the form x"):
        Form(**whole)  # type: ignore[arg-type]  # some are wrong on purpose


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        # Python, its libraries and its prompts
        ("dW = np.array([[0.0636, -0.0636],\n               [-0.4774, 0.4774]])", SQUARE),
        ("DS = sm_dir(h)\nDZ = 1\nprint(DS)\n[[ 0.0636 -0.0636]\n[-0.4774 0.4774]]", SQUARE),
        ("print(xe)\n1.5279347484961026", 1.5279347484961026),
        (
            ">>> dW = np.array([[0, 1],\n...    [2, 3]])\n>>> dW / 2\narray([[0. , 0.5],\n       [1. , 1.5]])",
            [[0.0, 0.5], [1.0, 1.5]],
        ),
        ("In [3]: dW\nOut[3]: \narray([0.19, 0.2 , 0.22, 0.23, 0.16])\n\nIn [4]: ", FIVE),
        ("Out[5]: tensor([[ 0.0636, -0.0636],\n        [-0.4774,  0.4774]], dtype=torch.float64)", SQUARE),
        (
            "[<tf.Tensor: shape=(), dtype=float32, numpy=0.5>, <tf.Tensor: shape=(), dtype=float32, numpy=0.25>]",
            [0.5, 0.25],
        ),
        ("Variable containing:\n 0.0636 -0.0636\n-0.4774  0.4774\n[torch.FloatTensor of size 2x2]", SQUARE),
        ("tensor([[[1., 2.]],\n\n        [[3., 4.]]], requires_grad=True)", [[[1.0, 2.0]], [[3.0, 4.0]]]),
        ("Parameter(tensor(0.5))", 0.5),
        ("Matrix([\n[0.0636, -0.0636],\n[-0.4774, 0.4774]])", SQUARE),
        ("⎡0.0636   -0.0636⎤\n⎢                ⎥\n⎣-0.4774  0.4774 ⎦", SQUARE),
        # tables
        ("0    0.19\n1    0.20\n2    0.22\n3    0.23\n4    0.16", FIVE),
        ("0    0.19\n1    0.20\n2    0.22\n3    0.23\n4    0.16\ndtype: float64", FIVE),
        ("1. 0.19\n2. 0.2", [[0.19], [0.2]]),
        ("0 1\n1 2", [[0, 1], [1, 2]]),
        ("0,1\n0.0636,-0.0636\n-0.4774,0.4774\n", SQUARE),
        ("idx,a,b\n0,0.0636,-0.0636\n1,-0.4774,0.4774", SQUARE),
        ("   V1 V2\n1 0.0636 -0.0636\n2 -0.4774 0.4774", SQUARE),
        ("        a  \\\n0  0.0636   \n1 -0.4774   \n\n        b  \n0 -0.0636  \n1  0.4774  ", SQUARE),
        (
            "|   |       0 |       1 |\n|--:|--------:|--------:|\n| 0 |  0.0636 | -0.0636 |\n| 1 | -0.4774 | 0.4774 |",
            SQUARE,
        ),
        ("| 0.0636 | − 0.0636 |\n|:--|--:|\n| − 0.4774 | 0.4774 |", SQUARE),
        ("┌────┬────┐\n│ a ┆ b │\n│ 0.0636 ┆ -0.0636 │\n│ -0.4774 ┆ 0.4774 │\n└────┴────┘", SQUARE),
        ("<tr><td>0,0636</td><td>-0,0636</td></tr>\n<tr><td>-0,4774</td><td>0,4774</td></tr>", SQUARE),
        (
            "<table>\n<tr><th></th><th>0</th></tr>\n<tr><th>0</th>\n<td>0.19</td></tr><tr><th>1</th><td>0.2</td></tr></table>",
            [[0.19], [0.2]],
        ),
        ("0.0636\t-0.0636\r\n-0.4774\t0.4774\r\n", SQUARE),
        ("\ufeff0.0636;-0.0636\n-0.4774;0.4774", SQUARE),
        ("a;b\n0,0636;-0,0636;\n-0,4774;0,4774;\n", SQUARE),
        ("0.19;0.2;0.22;0.23;0.16\n", FIVE),
        ("0.19 0.2 0.22\n0.23 0.16\n", FIVE),
        (
            (
                '<div>\n<style scoped>\n .dataframe th { top: 1px; }\n</style>\n<table border="1">\n'
                "<tr><th></th><th>a</th><th>b</th></tr>\n<tr><th>0</th><td>0.0636</td><td>-0.0636</td></tr>\n"
                "<tr><th>1</th><td>-0.4774</td><td>0.4774</td></tr>\n</table>\n<p>2 rows × 2 columns</p>\n</div>"
            ),
            SQUARE,
        ),
        # systems
        (">> dW\n\ndW =\n\n    0.0636   -0.0636\n   -0.4774    0.4774\n\n>> ", SQUARE),
        ("octave:1> dW\ndW =\n\n   0.0636  -0.0636\n  -0.4774   0.4774\n\n", SQUARE),
        ("[0.0636, -0.0636, ...\n 0.1]", [0.0636, -0.0636, 0.1]),
        ("[0.0636 -0.0636 ...\n 0.1]", [0.0636, -0.0636, 0.1]),
        ("  Columns 1 through 2\n\n   1   2\n   3   4\n\n  Column 3\n\n   5\n   6\n", [[1, 2, 5], [3, 4, 6]]),
        ("1.0e+03 *\n 1.5 0", [1500, 0]),
        ("1.0e-05 *\n 1/2 10^2 ½", [0.5e-5, 1e-3, 0.5e-5]),
        ("> dW\n        [,1]    [,2]\n[1,]  0.0636 -0.0636\n[2,] -0.4774  0.4774\n> ", SQUARE),
        ("[1] 0.87", [0.87]),
        ("Any[0.19, 0.2]", [0.19, 0.2]),
        ("1×5 Matrix{Float64}:\n 0.19  0.2  0.22  0.23  0.16", FIVE),
        ("2×2 adjoint(::Matrix{Float64}) with eltype Float64:\n  0.0636  -0.0636\n -0.4774   0.4774", SQUARE),
        ("Out[3]//MatrixForm=\n0.0636 -0.0636\n-0.4774 0.4774", SQUARE),
        (
            r"\frac{\partial L}{\partial W} = \begin{bmatrix} 0.0636 & - 0.0636 \\[2pt] -0.4774 & 0.4774 \end{bmatrix}",
            SQUARE,
        ),
        (r"\left( 0{,}19, 0.2 \right)", [0.19, 0.2]),
        (r"\(-\frac{1}{4}\)", -0.25),
        # names
        ("S[0, :] = 0.19 0.2", [0.19, 0.2]),
        ("Loss of batch: 0.5", 0.5),
        ("≈ 0.5", 0.5),
        ("~0.5", 0.5),
        (r"\( L = 0.5 \)", 0.5),
        # numbers
        ("6.36 × 10⁻² -6.36·10^{-2}\n-4.774x10^-1 4.774 * 10**-1", SQUARE),
        ("2e-2*10^3 -10^-2 10⁻²", [20.0, -0.01, 0.01]),
        ("1.5d-3 1.5f2", [1.5e-3, 150]),
        ("1*10^999999999999 1*10^-99999999999999999999", [math.inf, 0]),
        ("19,09 % 5‰ 2\\%", [0.1909, 0.005, 0.02]),
        ("-1½ ¼", [-1.5, 0.25]),
        ("∞ -∞", [math.inf, -math.inf]),
        ("０．５ ٠٫٥ \U0001d7ce.5", [0.5, 0.5, 0.5]),
        ("0.1 &minus;0.2 -\u20600.5", [0.1, -0.2, -0.5]),
        ("“0.5”", 0.5),
        ("np.matrix('1 2; 3 4')", [[1, 2], [3, 4]]),
        # decimal commas
        ("0,1909, 0,2035, 0,2170, 0,2313, 0,1572", [0.1909, 0.2035, 0.217, 0.2313, 0.1572]),
        ("0,1909,0,2035,0,2170,0,2313,0,1572", [0.1909, 0.2035, 0.217, 0.2313, 0.1572]),
        ("0,19; 0,2; 0,22; 0,23; 0,16", FIVE),
        ("19,09% 20,35%", [0.1909, 0.2035]),
        ("0,0636, -0,0636\n-0,4774, 0,4774", SQUARE),
        ("0,5 1 nan 6,36*10^-2", [0.5, 1, NAN, 0.0636]),
        ("0,123", 0.123),
        ("0,5\n1,6", [[0.5], [1.6]]),
        (";w0\n0;0,0012\n", 0.0012),
        ("0,0.5\n1,0.6", [0.5, 0.6]),
        ("0 0,19\n1 0,2", [[0.19], [0.2]]),
        ('"0,19";"0,2"\n', [0.19, 0.2]),
        ("0,5", [0, 5]),
        ("1,5279", [1, 5279]),
        ("0,1,0", [0, 1, 0]),
        ("100,200", [100, 200]),
        ("761,995.125", [761, 995.125]),
        # line breaks inside brackets
        ("[1 2\n 3 4]", [[1, 2], [3, 4]]),
        ("[1 2\n 3 4]", [1, 2, 3, 4]),
        ("[1 2\n3 4]", [1, 2, 3, 4]),
        ("[[1 2\n3 4]\n[5 6\n7 8]]", [[1, 2, 3, 4], [5, 6, 7, 8]]),
        ("[1 2; 3\n4]", [[1, 2], [3, 4]]),
    ],
)
def test_what_people_paste_is_read_where_its_shape_is_asked(text: str, numbers: object) -> None:
    assert_reads_as(text, numbers, np.array(numbers).shape)


@pytest.mark.parametrize(
    ("text", "shape", "place", "message"),
    [
        ("1,5279", None, (1, 2), "found 1,5279: it may be 1.5279 or the two numbers 1 and 5279;"),
        ("1,5279", (1, 5), (1, 2), "found 1,5279: it may be 1.5279 or the two numbers 1 and 5279;"),
        ("1,2; 3,4", None, (1, 2), "found 1,2: it may be 1.2 or the two numbers 1 and 2;"),
        ("0," + "1" * 40, None, (1, 2), "found a comma that may be a decimal comma"),
        ("6,36×10⁻²", None, (1, 2), "found a comma that may be a decimal comma"),
        (";w0\n0;5,12\n", (3, 3), (2, 4), "found 5,12: it may be 5.12"),
        ("0,5\n1,6", (2,), (1, 2), "found 0,5: it may be 0.5 or the two numbers 0 and 5;"),
        ("1,528", (), (1, 2), "found 1,528: it may be 1.528 or 1528;"),
        ("761,995.125", (), (1, 4), "found what looks like a thousands separator"),
        ("1.234,56", (), (1, 6), "found what looks like a thousands separator"),
        ("1,234,567", (), (1, 2), "found what looks like a thousands separator"),
        ('"1,234.5"\t2', (2,), (1, 3), "found what looks like a thousands separator"),
        ('"1,234"\t2', (2,), (1, 3), "found 1,234: it may be 1.234 or 1234;"),
        ("[0,5 0,25]", (2,), (1, 3), "found 0,5: it may be 0.5"),
        ("0.1 - 0.2", (), (1, 5), "found - with no number right after it"),
        ("[0. 1. ...\n 8. 9.]", (10,), (1, 8), "found dots"),
        ("1 2\n\n3 NA", None, (3, 3), "found a missing value"),
        ("S: 0.1 0.2\nT: 0.3", (2,), (2, 1), "found a second name"),
        (">>> S\n[0.1]\n>>> T\n[0.2]\n", (2,), (3, 1), "found a second printed answer"),
        ("0.1\nand\n0.2", None, (2, 1), "found a word"),
        ("not known\n", None, (1, 1), "found a word"),
        ("a\n0.1\n1.0e-03 *\n2", None, (3, 1), "found a factor below numbers"),
        ("3 *\n2", None, (1, 1), "found a factor that is no power of ten"),
        ("0.0 *\n2", None, (1, 1), "found a factor that is no power of ten"),
        ("Columns 1 through 2\n1 2\n3 4\nColumn 3\n5\n", None, (5, 1), "found 1 rows in further columns; needed 2"),
        (r"\begin{pmatrix} 1", None, (1, 1), "found the begin of a table that is never closed"),
        (r"[1 \end{pmatrix}", None, (1, 4), "found the end of a table; needed ] to close ["),
        ("<tf.Variable numpy=1", None, (1, 1), "found < that is never closed; needed >"),
        ("\"'" * 9, None, (1, 9), "found more than 8 brackets inside each other"),
        ("''\n1", None, (1, 2), "found nothing before '; needed"),
        (r"\frac{1}{0}", None, (1, 1), "found a fraction with denominator 0"),
        ("x  0.1  0.2\ny  0.3  0.4", (2, 2), (1, 1), "found a word"),
    ],
)
def test_what_can_be_meant_in_two_ways_is_refused_with_both(
    text: str, shape: tuple[int, ...] | None, place: tuple[int, int], message: str
) -> None:
    answer = read_answer(text, shape=shape)
    assert answer.value is None
    assert answer.reading is not None
    assert answer.reading.message.startswith(message)
    assert (answer.reading.row, answer.reading.column) == place
