"""Forms of lines: what differs in more than its numbers is never taken for the same."""

import numpy as np
import pytest

from app.marking.forms import Form, find_key, has_form
from core.grade_requests import Grader, GradeRequest
from core.grading import NO_MATCH
from core.problem import Layer, Network, Problem

IDENTITY = Layer(weights=np.eye(2), bias=np.zeros(2), activation="identity")
PROBLEM = Problem(network=Network(layers=(IDENTITY, IDENTITY)), inputs=np.array([[1.0, 2.0], [3.0, 4.0]]))
ROWS = "[[1, 2], [3, 4]]"
LINE = f'{{"answers": {{"Z1": {ROWS}, "A1": {ROWS}, "Z2": {ROWS}}}}}\n'.encode()


@pytest.fixture(scope="module")
def form() -> Form:
    value = [[1.0, 2.0], [3.0, 4.0]]
    grader = Grader(GradeRequest(problem=PROBLEM))
    matcher = grader.find_exact_matcher(GradeRequest(answers={"Z1": value, "A1": value, "Z2": value}))
    assert matcher is not None
    return Form(LINE, matcher)


def test_lines_of_a_form_are_told_together_and_each(form: Form) -> None:
    wrong = LINE.replace(b"4", b"-4.5")
    by_machine = LINE.replace(b"4", b"4.0000001")
    told = form.tell(LINE + wrong + LINE + by_machine)
    assert told is not None
    assert form.tell(b"") is None
    assert told[0] == told[2] != told[3] != NO_MATCH
    assert told[1] == NO_MATCH
    assert form.tell_each([LINE, wrong, b"{}\n", LINE, by_machine]) == [*told[:2], NO_MATCH, *told[2:]]


GAP = b"}}\n" + LINE[: LINE.index(b":", 12) + 1]
OTHERS = [
    b"\n",
    LINE[:-1],
    LINE + b"\n",
    b" " + LINE,
    LINE.replace(b"answers", b"answer5"),
    LINE.replace(b"Z1", b"Z3"),
    LINE.replace(b"A1", b"A2"),
    LINE.replace(b"A1", b"Z2"),
    # the same words in another order
    LINE.replace(b'"A1"', b'"x"').replace(b'"Z2"', b'"A1"').replace(b'"x"', b'"Z2"'),
    LINE.replace(b', "A1"', b"x").replace(b', "Z2": ', b', "A1":').replace(b"x", b', "Z2" '),
    # as many numbers in other places
    LINE.replace(b"[1, 2], [3, 4]", b"[1, 2, 3], [4]"),
    LINE.replace(b"[1, 2], [3, 4]", b"[1, 2, 3, 4]"),
    LINE.replace(b"1, 2", b"1, , 2"),
    LINE.replace(b"1, 2", b"1 2"),
    LINE.replace(b"1, 2", b", 2"),
    LINE.replace(b"1, 2", b'"1", 2'),
    LINE.replace(b"1, 2", b"01, 2"),
    LINE.replace(b"4]]}}", b"4]]}, }"),
    # two lines that are wrong, and right when one follows the other
    LINE[: LINE.index(b"3")] + b"3}}\n" + LINE[: LINE.index(b"[[")] + LINE[LINE.index(b", 4]") :],
    # what stands in place of the words between two lines
    LINE[:-3] + (b",\t").ljust(len(GAP)) + LINE[len(GAP) - 3 :],
    LINE[:-3] + (b",\n").ljust(len(GAP)) + LINE[len(GAP) - 3 :],
]


@pytest.mark.parametrize("other", OTHERS)
def test_lines_of_another_form_are_not_told(form: Form, other: bytes) -> None:
    assert form.tell(LINE) is not None
    for lines in (other, LINE + other, other + LINE, LINE + other + LINE):
        assert form.tell(lines) is None


def test_lines_with_one_key_have_one_form() -> None:
    assert find_key(LINE) == find_key(LINE.replace(b"3", b"-1e5"))
    assert len({find_key(line) for line in (LINE, LINE.replace(b"Z2", b"Z9"), LINE.replace(b"2]", b"2 ]"))}) == 3


@pytest.mark.parametrize(
    "other", [LINE[:-1], b" " + LINE, LINE.replace(b" ", b"\t"), b"{}\n", LINE.replace(b"}}", b"}")]
)
def test_not_every_line_has_a_form(other: bytes) -> None:
    assert has_form(LINE)
    assert not has_form(other)
