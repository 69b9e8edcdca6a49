"""Templates of lines: what differs in more than its numbers is never taken for the same."""

import numpy as np
import pytest

from app.marking.templates import LineTemplate, find_template_key, has_template
from core.grade_requests import Grader, GradeRequest
from core.grading import NO_MATCH
from core.problem import Layer, Network, Problem

IDENTITY = Layer(weights=np.eye(2), bias=np.zeros(2), activation="identity")
PROBLEM = Problem(network=Network(layers=(IDENTITY, IDENTITY)), inputs=np.array([[1.0, 2.0], [3.0, 4.0]]))
ROWS = "[[1, 2], [3, 4]]"
LINE = f'{{"answers": {{"Z1": {ROWS}, "A1": {ROWS}, "Z2": {ROWS}}}}}\n'.encode()


@pytest.fixture(scope="module")
def template() -> LineTemplate:
    value = [[1.0, 2.0], [3.0, 4.0]]
    grader = Grader(GradeRequest(problem=PROBLEM))
    matcher = grader.find_exact_matcher(GradeRequest(answers={"Z1": value, "A1": value, "Z2": value}))
    assert matcher is not None
    return LineTemplate(LINE, matcher)


def test_lines_of_a_template_are_matched_together_and_each(template: LineTemplate) -> None:
    wrong = LINE.replace(b"4", b"-4.5")
    by_machine = LINE.replace(b"4", b"4.0000001")
    found = template.match(LINE + wrong + LINE + by_machine)
    assert found is not None
    assert template.match(b"") is None
    assert found[0] == found[2] != found[3] != NO_MATCH
    assert found[1] == NO_MATCH
    assert template.match_each([LINE, wrong, b"{}\n", LINE, by_machine]) == [*found[:2], NO_MATCH, *found[2:]]


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
def test_lines_of_another_template_are_not_matched(template: LineTemplate, other: bytes) -> None:
    assert template.match(LINE) is not None
    for lines in (other, LINE + other, other + LINE, LINE + other + LINE):
        assert template.match(lines) is None


def test_lines_with_one_key_have_one_template() -> None:
    assert find_template_key(LINE) == find_template_key(LINE.replace(b"3", b"-1e5"))
    assert (
        len({find_template_key(line) for line in (LINE, LINE.replace(b"Z2", b"Z9"), LINE.replace(b"2]", b"2 ]"))}) == 3
    )


@pytest.mark.parametrize(
    "other", [LINE[:-1], b" " + LINE, LINE.replace(b" ", b"\t"), b"{}\n", LINE.replace(b"}}", b"}")]
)
def test_not_every_line_has_a_template(other: bytes) -> None:
    assert has_template(LINE)
    assert not has_template(other)
