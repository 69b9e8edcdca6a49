"""Lines that are marked together: the bytes of the reply are those of lines that are marked one by one."""

import json
import random
import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from app.examples import ARTICLE_PROBLEM, REGRESSION_PROBLEM
from app.marking import templates
from app.marking.chunks import Recent
from core.grade_requests import Grader, GradeRequest
from core.grading import Grade
from tests.support.bulk_lines import DEFAULTS, dump_lines, mark, mark_one_by_one, read_lines

Json = dict[str, Any]

BATCH = {
    "network": {
        "layers": [
            {"weights": [[0.3, -1.2, 0.7], [0.9, 0.4, -0.5]], "bias": [0.1, 0.2, -0.3], "activation": "tanh"},
            {"weights": [[0.6, -0.1], [1.1, 0.8], [-0.7, 0.2]], "bias": [0.5, 0], "activation": "softmax"},
        ]
    },
    "inputs": [[1.5, -0.2], [0.4, 2.0], [-0.6, 0.3]],
    "targets": [0, 1, 1],
    "loss": "cross_entropy",
}
# quantities of an answer, and what their lines share
CASES: list[tuple[tuple[str, ...], Json]] = [
    (("dL_dW2",), {"problem": BATCH}),
    (("dL_dW1", "dL_dW2", "L"), {"problem": BATCH, "feedback": "location"}),
    (("L",), {"problem": BATCH, "tolerance": {"decimals": 3}}),
    (("dL_db2",), {"problem": BATCH, "tolerance": {"relative": 1e-3}, "feedback": "verdict"}),
    (("dS_dZ2",), {"problem": BATCH, "policy": {"mistakes": {"transposed": 0.5}}}),
    (("dL_dW",), {"problem": ARTICLE_PROBLEM, "feedback": "hint"}),
    (("S",), {"problem": ARTICLE_PROBLEM, "asks": ["S", "L"]}),
    (("dS_dW",), {"problem": ARTICLE_PROBLEM}),
    (("L",), {"problem": REGRESSION_PROBLEM, "follow_through": False}),
    (("dL_dW1",), {"problem": BATCH, "feedback": "full"}),
]


def truths(defaults: Json, ids: tuple[str, ...]) -> Json:
    asked = {"defaults": {"problem": defaults["problem"], "feedback": "full"}}
    [line], _ = read_lines(mark(dump_lines(asked, {"answers": dict.fromkeys(ids, 1)})))
    return {part["quantity"]: np.array(part["expected"]) for part in line["grade"]["parts"]}


def write_answer(truth: Any, source: random.Random) -> Any:
    """Write a right answer by machine or to some decimals, or one a little or very wrong, or of another shape."""
    decimals = source.choice([0, 1, 2, 3, 4, 4, 5, 6, 7, 8, 12, 17])
    value = np.round(truth, decimals)
    match source.randrange(12):
        case 0:
            value = value + 10.0**-decimals * source.choice([-1, -0.6, 0.4, 0.5, 1])
        case 1:
            value = truth * (1 + 10.0 ** -source.randrange(3, 10))
        case 2:
            value = -value
        case 3 if value.ndim and len(value) == 1:
            value = value[0]
        case 4:
            value = value[None]
        case _:
            pass
    return value.tolist()


NUMBER = re.compile(r"(?<=[\[, :])-?\d+\.\d+(?:e-?\d+)?")
NUMBERS: list[Callable[[str], str]] = [
    lambda text: text + "0",
    lambda text: text + "0" * 700,
    lambda text: text + "E+0",
    lambda text: f"{float(text):.25f}",
    lambda text: f"{float(text):.3e}",
    lambda text: f"{float(text) * (1 + 2**-52)}",
    lambda text: " " + text + "\r",
    *((lambda text, other=other: other) for other in ("0", "-0", "-0.0", "1e400", "NaN", "1e-400", "9" * 16, "9" * 20)),
    *(
        (lambda text, other=other: other)
        for other in ("", "01", "+1", "1.", ".5", "-", "1e", "1 2", "[1]", "1]", "1,1")
    ),
    *((lambda text, other=other: other) for other in ("null", "true", '"0.5"', "\t0.5", "\n0.5", "1" * 30)),
]
LINES: list[Callable[[str], str]] = [
    lambda line: "",
    lambda line: " \r",
    lambda line: line[:-1],
    lambda line: line + line,
    lambda line: "\ufeff" + line,
    lambda line: line.replace("}}", '}, "feedback": "full"}'),
    lambda line: line.replace("}}", '}, "policy": {}}'),
    lambda line: line.replace("}}", '}, "answers": {}}'),
    lambda line: line.replace("}}", ', "L": 1}}'),
    lambda line: line.replace("}}", ', "A1": 1}}'),
    lambda line: line.replace('"dL', '"d\\u004c'),
    lambda line: line.replace("2", "9"),
    lambda line: line.replace(", ", ",\n", 1),
    lambda line: line.replace(",", ",\t", 1),
    lambda line: '{"answers": {}}',
    lambda line: '{"answers": {"L": "1.5"}}',
]


def write_lines(expected: Json, count: int, source: random.Random) -> Iterator[bytes]:
    for _ in range(count):
        line = json.dumps({"answers": {text: write_answer(truth, source) for text, truth in expected.items()}})
        chance = source.random()
        if chance < 0.1 and (found := list(NUMBER.finditer(line))):
            one = source.choice(found)
            line = line[: one.start()] + source.choice(NUMBERS)(one[0]) + line[one.end() :]
        elif chance < 0.2:
            line = source.choice(LINES)(line)
        yield line.encode() + source.choice([b"\n"] * 9 + [b"\r\n"])


@pytest.mark.parametrize(("ids", "defaults"), CASES)
def test_lines_marked_together_have_the_replies_of_lines_marked_one_by_one(
    ids: tuple[str, ...], defaults: Json
) -> None:
    source = random.Random(0)
    content = dump_lines({"defaults": defaults}) + b"".join(write_lines(truths(defaults, ids), 1000, source))
    assert mark(content) == mark_one_by_one(content)


def count_marked(content: bytes, monkeypatch: pytest.MonkeyPatch) -> int:
    """Mark lines, and count those that are marked by themselves."""
    marked = []

    def count(grader: Grader, request: GradeRequest) -> Grade:
        marked.append(request)
        return grade_request(grader, request)

    grade_request = Grader.grade
    with monkeypatch.context() as patch:
        patch.setattr(Grader, "grade", count)
        mark(content)
    return len(marked)


def right_lines(count: int, *texts: str) -> list[bytes]:
    source = np.random.default_rng(0)
    expected = truths(DEFAULTS["defaults"], texts)
    return [
        dump_lines({"answers": {text: (value + 1e-9 * source.random()).tolist() for text, value in expected.items()}})
        for _ in range(count)
    ]


def test_lines_that_are_right_to_the_last_digit_are_marked_by_one_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    several = right_lines(1000, "S", "dL_dW")
    assert count_marked(dump_lines(DEFAULTS) + b"".join(several), monkeypatch) == 1
    # two templates in turn, and blank lines
    mixed = [line for pair in zip(several, right_lines(1000, "L"), strict=True) for line in (*pair, b"\n")]
    assert count_marked(dump_lines(DEFAULTS) + b"".join(mixed), monkeypatch) == 2


def test_a_line_that_no_parser_of_numbers_takes_is_marked_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = right_lines(1000, "L")
    lines[500] = b'{"answers": {"L": 1e400}}\n'
    lines[700] = b'{"answers": {"L": }}\n'
    lines[800] = b'{"answers": {"L": 123456789012345678901234567890}}\n'
    # the line without an answer is no request
    assert count_marked(dump_lines(DEFAULTS) + b"".join(lines), monkeypatch) == 3


def test_without_simdjson_every_line_is_marked_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    content = dump_lines(DEFAULTS) + b"".join(right_lines(20, "L"))
    together = mark(content)
    monkeypatch.setattr(templates, "simdjson", None)
    assert count_marked(content, monkeypatch) == 20
    assert mark(content) == together


def test_the_same_wrong_line_is_marked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = [dump_lines({"answers": {"L": value}}) for value in (1, 2, 3)]
    content = dump_lines(DEFAULTS) + b"".join(wrong * 50)
    assert count_marked(content, monkeypatch) == 3
    assert mark(content) == mark_one_by_one(content)


def test_quantities_that_differ_in_a_number_are_marked_by_one_line_each(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [line for pair in zip(right_lines(100, "Z"), right_lines(100, "Z"), strict=True) for line in pair]
    lines[1::2] = [line.replace(b"Z", b"Z1") for line in lines[1::2]]
    assert count_marked(dump_lines(DEFAULTS) + b"".join(lines), monkeypatch) == 2


def test_a_line_that_is_too_long_is_told_among_others_that_are_alike() -> None:
    lines = right_lines(1000, "L")
    lines[20] = lines[900] = lines[0].replace(b"}}", b"0" * 2000 + b"}}")
    content = dump_lines(DEFAULTS) + b"".join(lines)
    for longest in (len(lines[20]) - 2, len(lines[20]) - 1):
        reply = mark(content, longest=longest)
        assert reply == mark_one_by_one(content, longest=longest)
        assert read_lines(reply)[1]["problems"] == 2 * (longest == len(lines[20]) - 2)


def test_wrong_lines_among_right_ones_of_one_form_are_marked_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = right_lines(1000, "L")
    # the last chunks hold nothing of another template
    for number in range(900, 1000, 10):
        lines[number] = dump_lines({"answers": {"L": float(number)}})
    lines[950] = dump_lines({"answers": {"L": 1.5279}})
    content = dump_lines(DEFAULTS) + b"".join(lines)
    assert count_marked(content, monkeypatch) == 11
    assert mark(content) == mark_one_by_one(content)


def test_what_was_used_last_is_kept() -> None:
    recent: Recent[str] = Recent(2)
    recent.put("a", "first")
    recent.put("b", "second")
    assert recent.get("a") == "first"
    recent.put("c", "third")
    assert [recent.get(key) for key in "abc"] == ["first", None, "third"]


def test_no_more_bytes_are_kept_than_there_is_room_for_or_the_last_value_alone() -> None:
    recent: Recent[str] = Recent(10, 100)
    for name in "abc":
        recent.put(name, name.upper(), 40)
    assert [recent.get(name) for name in "abc"] == [None, "B", "C"]
    recent.put("d", "D", 101)
    assert [recent.get(name) for name in "abcd"] == [None, None, None, "D"]
    recent.put("e", "E", 100)
    assert [recent.get(name) for name in "de"] == [None, "E"]
