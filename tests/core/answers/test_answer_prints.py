"""Real prints are read to the last bit, the source articles' tables as printed, and no text is too much."""

import random
import sys
import tracemalloc

import numpy as np
import pytest

from core.answers import FORMS, MOST_NUMBERS, read_answer
from core.answers.text import MOST_LISTS, MOST_NUMBERS_OF_TEXT
from core.grade_requests import Grader, GradeRequest
from core.problem import Layer, Network, Problem

pytestmark = pytest.mark.long

S = "[0.19091352 0.20353145 0.21698333 0.23132428 0.15724743]"
DS_DZ = """[[ 0.154465 -0.038856 -0.041425 -0.044162 -0.030020]
[-0.038856 0.162106 -0.044162 -0.047081 -0.032004]
[-0.041425 -0.044162 0.1699015 -0.050193 -0.034120]
[-0.044162 -0.047081 -0.050193 0.177813 -0.036375]
[-0.030020 -0.032004 -0.034120 -0.036375 0.132520]]"""
DZ_DW = """[[0.1 0. 0. 0. 0. ]
[0.5 0. 0. 0. 0. ]
[0.4 0. 0. 0. 0. ]
[0. 0.1 0. 0. 0. ]
[0. 0.5 0. 0. 0. ]
[0. 0.4 0. 0. 0. ]
[0. 0. 0.1 0. 0. ]
[0. 0. 0.5 0. 0. ]
[0. 0. 0.4 0. 0. ]
[0. 0. 0. 0.1 0. ]
[0. 0. 0. 0.5 0. ]
[0. 0. 0. 0.4 0. ]
[0. 0. 0. 0. 0.1]
[0. 0. 0. 0. 0.5]
[0. 0. 0. 0. 0.4]]"""
DS_DW = """[[ 0.01544 0.07723 0.06178 -0.00388 -0.01942 -0.01554
-0.00414 -0.02071 -0.01657 -0.00441 -0.02208 -0.01766
-0.00300 -0.01501 -0.01200]
[-0.00388 -0.01942 -0.01554 0.01621 0.0810 0.06484
-0.00441 -0.02208 -0.01766 -0.00470 -0.02354 -0.01883
-0.00320 -0.01600 -0.01280]
[-0.00414 -0.02071 -0.01657 -0.00441 -0.02208 -0.01766
0.01699 0.08495 0.06796 -0.00501 -0.02509 -0.02007
-0.00341 -0.01706 -0.01364]
[-0.00441 -0.02208 -0.01766 -0.00470 -0.02354 -0.01883
-0.00501 -0.02509 -0.02007 0.01778 0.08890 0.07112
-0.00363 -0.01818 -0.01455]
[-0.00300 -0.01501 -0.01200 -0.00320 -0.01600 -0.01280
-0.00341 -0.01706 -0.01364 -0.00363 -0.01818 -0.01455
0.01325 0.06626 0.05300]]"""
DL_DS = "[-0. -0. -4.60864 -0. -0. ]"
DL_DW_BY_ROWS = """[[ 0.01909135 0.09545676 0.07636541 0.02035314 0.10176572]
[ 0.08141258 -0.07830167 -0.39150833 -0.31320667 0.02313243]
[ 0.11566214 0.09252971 0.01572474 0.07862371 0.06289897]]"""

ARTICLE_WEIGHTS = [[0.1, 0.2, 0.3, 0.4, 0.5], [0.6, 0.7, 0.8, 0.9, 0.1], [0.11, 0.12, 0.13, 0.14, 0.15]]

PRINTED = {
    "S": (S, (5,)),
    "dS_dZ": (DS_DZ, (5, 5)),
    "dZ_dW transposed": (DZ_DW, (15, 5)),
    "dS_dW": (DS_DW, (5, 15)),
    "dL_dS": (DL_DS, (5,)),
    "dL_dW by rows": (DL_DW_BY_ROWS, (3, 5)),
}
DTYPES = ["float64", "float32", "float16", "longdouble", "int64", "uint8"]
PIECES = [
    *"0123456789.,;/+-eE()[]{}<>='\"%*^&|\\$`#: \n\t",
    *(
        "\r\n",
        "\u2212",
        "\xa0",
        "\ufeff",
        "\u2028",
        "\u200b",
        "\uff11",
        "\ud800",
        "é",
        "½",
        "⁻²",
        "×10",
        "...",
        "0,5",
        "1.5",
    ),
    *(
        " 1/3",
        ", ",
        "\n ",
        "\n\n",
        "nan",
        "inf",
        "None",
        "true",
        "array(",
        "np.float64(",
        "dtype=",
        "dW =",
        "j",
        "x",
        ">>> ",
    ),
    *(
        "In [3]: ",
        "Out[3]: ",
        "1.0e-03 *\n",
        "Columns 1 through 2\n",
        "[1,]",
        "[,1]",
        "[1] ",
        "\\begin{pmatrix}",
        "\\end{pmatrix}",
    ),
    *(
        "<table>",
        "</table>",
        "<td>",
        "</tr>",
        "&minus;",
        "|---|",
        "```",
        "dtype: float64",
        "print(",
        "\\\\",
        "1,234",
        "0,",
        "a b\n",
    ),
]


@pytest.mark.parametrize("name", PRINTED)
@pytest.mark.parametrize("frame", ["{}", "print(x)\n{}", ">>> x\n{}\n>>> ", "{}\n\n", "x = {}"])
def test_the_articles_printed_tables_are_read_as_printed(name: str, frame: str) -> None:
    text, shape = PRINTED[name]
    numbers = np.array(text.replace("[", " ").replace("]", " ").split(), dtype=np.float64)
    answer = read_answer(frame.format(text), shape=shape)
    assert answer.value is not None
    np.testing.assert_array_equal(answer.value, numbers.reshape(shape))
    np.testing.assert_array_equal(np.signbit(answer.value.ravel()), np.signbit(numbers))


@pytest.mark.parametrize(
    ("name", "key", "verdict", "mistakes"),
    [
        ("S", "S", "correct", []),
        ("dS_dZ", "dS_dZ", "correct", []),
        ("dS_dW", "dS_dW", "correct", []),
        ("dL_dS", "dL_dS", "correct", []),
        ("dZ_dW transposed", "dZ_dW", "wrong_shape", [("transposed",)]),
        ("dL_dW by rows", "dL_dW", "incorrect", [("reshaped_rows_first",)]),
    ],
)
def test_the_articles_tables_are_marked_as_printed_their_digits_cut_off(
    name: str, key: str, verdict: str, mistakes: list[tuple[str, ...]]
) -> None:
    layer = Layer(weights=np.array(ARTICLE_WEIGHTS), activation="softmax")
    problem = Problem(
        network=Network(layers=(layer,)),
        inputs=np.array([[0.1, 0.5, 0.4]]),
        targets=np.array([2]),
        loss="cross_entropy",
    )
    [part] = Grader().grade(GradeRequest(problem=problem, answers={key: PRINTED[name][0]})).parts
    assert (part.verdict, [diagnosis.mistakes for diagnosis in part.diagnoses or ()]) == (verdict, mistakes)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (1,), (7,), (40,), (3, 5), (1, 15), (2, 3, 4), (2, 1, 30)])
@pytest.mark.parametrize("width", [20, 75, 200])
def test_numpys_prints_are_read_at_any_width(dtype: str, shape: tuple[int, ...], width: int) -> None:
    source = np.random.default_rng(7)
    scale = 10.0 ** source.integers(-4, 3, size=shape)
    array = (
        np.asarray(source.standard_normal(shape) * scale).astype(dtype) if dtype[0] != "u" else np.ones(shape, dtype)
    )
    for options in (
        {"floatmode": "unique"},
        {"floatmode": "unique", "sign": "+"},
        {"precision": 4, "floatmode": "fixed", "suppress": True},
    ):
        with np.printoptions(threshold=sys.maxsize, linewidth=width, **options):
            texts = [str(array), repr(array), f"dW =\n{array!s}\n", f"In [1]: x\nOut[1]: \n{array!r}"]
        for text in texts:
            answer = read_answer(text, shape=shape)
            assert answer.value is not None, (text, answer.reading)
            assert answer.value.shape == shape
            if options["floatmode"] == "unique":
                np.testing.assert_array_equal(answer.value.astype(dtype), array.astype(np.float64).astype(dtype))
            elif dtype == "float64":
                np.testing.assert_allclose(answer.value, array, rtol=0.0, atol=0.51e-4)


def mutate(text: str, source: random.Random) -> str:
    """Return a text with a few pieces put in, taken out or doubled."""
    for _ in range(source.randint(1, 4)):
        start = source.randint(0, len(text))
        end = min(len(text), start + source.choice([0, 0, 1, 5, 20]))
        middle = source.choice([source.choice(PIECES), "", text[start:end] * 2])
        text = text[:start] + middle + text[end:]
    return text


def read_mutated(count: int, seed: int) -> int:
    """Read mutated examples; return of how many numbers came out."""
    source = random.Random(seed)
    examples = [example.text for form in FORMS.values() for example in form.examples]
    shapes: list[tuple[int, ...] | None] = [None, (), (5,), (1, 5), (2, 2), (2, 1)]
    n_read = 0
    for _ in range(count):
        text = mutate(source.choice(examples), source)
        answer = read_answer(text, shape=source.choice(shapes), most_numbers=100)
        if answer.reading is None:
            n_read += 1
            continue
        lines = text.removeprefix("\ufeff").splitlines() or [""]
        assert 1 <= answer.reading.row <= len(lines), text
        assert 1 <= answer.reading.column <= max(1, len(lines[answer.reading.row - 1])), text
        assert answer.reading.message.isascii()
        assert len(answer.reading.message) < 300
    return n_read


def test_mutated_texts_are_read_or_located() -> None:
    assert 1000 < read_mutated(4000, 1) < 3900


@pytest.mark.slow
def test_sixty_thousand_mutated_texts_are_read_or_located() -> None:
    assert 15_000 < read_mutated(60_000, 2) < 58_000


@pytest.mark.parametrize(
    "piece",
    [
        "\n",
        "\r\n",
        " ",
        "\xa0",
        "1",
        "[",
        "(",
        "|",
        "&nbsp;",
        '"',
        "'",
        "1 ",
        "1\n",
        "0,5 ",
        "<td>",
        "a\n",
        ">>> ",
        "\u200b",
    ],
)
def test_a_large_text_takes_at_most_three_times_its_size(piece: str) -> None:
    # a fifth of the numbers that an answer may have, and of the text that three bytes for each leave room for
    text = piece * (600_000 // len(piece))
    tracemalloc.start()
    read_answer(text, shape=(2, 2), most_numbers=MOST_NUMBERS // 5)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3 * sys.getsizeof(text)


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "int8"])
def test_the_core_marks_arrays_of_any_real_type(dtype: str) -> None:
    layer = Layer(weights=np.eye(2), activation="identity")
    problem = Problem(network=Network(layers=(layer,)), inputs=np.array([[1.0, 2.0]]))
    answers = {"Z": np.array([[1, 2]], dtype=dtype)}
    grade = Grader().grade(GradeRequest(problem=problem, answers=answers))
    assert grade.parts[0].verdict == "correct"


def test_a_text_has_at_most_so_many_lists_empty_ones_as_well() -> None:
    for entry in ("[1] ", "[] "):
        read = read_answer(entry * (MOST_LISTS + 1), most_numbers=10 * MOST_LISTS)
        assert read.reading is not None
        assert str(MOST_LISTS) in read.reading.message
        assert read.reading.column == len(entry) * MOST_LISTS + 1


def test_a_text_has_at_most_so_many_numbers_whatever_the_answer_may_have() -> None:
    read = read_answer("1 " * (MOST_NUMBERS_OF_TEXT + 1), most_numbers=2 * MOST_NUMBERS_OF_TEXT)
    assert read.reading is not None
    assert str(MOST_NUMBERS_OF_TEXT) in read.reading.message
