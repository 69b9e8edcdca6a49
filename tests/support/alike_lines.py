"""Lines that share a template, and changes after which a line does not: what may be marked together."""

import json
import random
import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from app.examples import ARTICLE_PROBLEM, REGRESSION_PROBLEM
from core.grade_requests import Grader, GradeRequest
from core.grading import Grade
from tests.support.bulk_lines import DEFAULTS, dump_lines, mark, read_lines

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
ALIKE: list[tuple[tuple[str, ...], Json]] = [
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
    """Compute the right answers by quantity."""
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


NUMBER_PATTERN = re.compile(r"(?<=[\[, :])-?\d+\.\d+(?:e-?\d+)?")

NUMBER_CHANGES: list[Callable[[str], str]] = [
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

LINE_CHANGES: list[Callable[[str], str]] = [
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
    """Write lines of one template, of which every fifth is changed in a number or as a whole."""
    for _ in range(count):
        line = json.dumps({"answers": {text: write_answer(truth, source) for text, truth in expected.items()}})
        chance = source.random()
        if chance < 0.1 and (found := list(NUMBER_PATTERN.finditer(line))):
            one = source.choice(found)
            line = line[: one.start()] + source.choice(NUMBER_CHANGES)(one[0]) + line[one.end() :]
        elif chance < 0.2:
            line = source.choice(LINE_CHANGES)(line)
        yield line.encode() + source.choice([b"\n"] * 9 + [b"\r\n"])


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
    """Write right answers to the article's problem that differ in their last digits."""
    source = np.random.default_rng(0)
    expected = truths(DEFAULTS["defaults"], texts)
    return [
        dump_lines({"answers": {text: (value + 1e-9 * source.random()).tolist() for text, value in expected.items()}})
        for _ in range(count)
    ]
