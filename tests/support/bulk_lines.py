"""Submissions in bulk, line by line, and what has to come back."""

import io
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from app.examples import ARTICLE_PROBLEM, REGRESSION_PROBLEM
from app.marking.chunks import Terms, mark_chunk
from app.marking.lines import read_chunk, take_defaults
from app.marking.replies import write_summary
from app.record import Summary
from core.budget import Budget
from tests.support.dispatching import EVERYBODY

Json = dict[str, Any]

HEADERS = {"Content-Type": "application/jsonl"}
DEFAULTS = {"defaults": {"problem": ARTICLE_PROBLEM}}

# the loss is 1.52788…, half of it and a wrong one, and what is none
ANSWERS: tuple[Json, ...] = (
    {"L": 1.5279},
    {"L": "1.5279", "S": [[0.2] * 5]},
    {"L": -1.5279},
    {"L": 9.1, "Z": None},
    {"L": float("nan")},
    {"Q": 1},
)


def dump_lines(*lines: object) -> bytes:
    """Write lines of JSON, those that are bytes as they are."""
    return b"".join((line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n" for line in lines)


def slow_submissions(count: int) -> Iterator[bytes]:
    """Write defaults and so many long lines that take some 20 ms each: each is wrong in a way of its own."""
    yield dump_lines(DEFAULTS)
    rows = [[0.11, -0.52, 0.37, 0.83, -0.29], [0.61, 0.17, -0.74, 0.05, 0.46], [-0.33, 0.92, 0.21, -0.58, 0.79]]
    for number in range(count):
        wrong = {"L": 2 + number / 1e5, "dL_dW": [[entry + number / 1e7 for entry in row] for row in rows]}
        yield dump_lines(json.dumps({"answers": wrong}).encode().ljust(2000))


def open_lines(content: bytes, *, longest: int = 10**7) -> tuple[io.BytesIO, Terms]:
    """Return lines as a file behind their defaults, and what they share."""
    file = io.BytesIO(content)
    defaults = take_defaults(file, longest)
    return file, Terms(caller=EVERYBODY, budget=Budget(), longest=longest, defaults=defaults)


def mark_in_pieces(content: bytes, *, longest: int = 10**7) -> list[bytes]:
    """Mark lines in this process; the last piece is the summary."""
    file, terms = open_lines(content, longest=longest)
    summary, pieces = Summary(), list[bytes]()
    while chunk := read_chunk(file, longest):
        while chunk:
            marked = mark_chunk(terms, chunk, summary.lines)
            chunk = marked.rest
            summary.add(marked.summary)
            pieces.append(marked.reply)
    return [*pieces, write_summary(summary)]


def mark(content: bytes, *, longest: int = 10**7) -> bytes:
    """Mark lines in this process."""
    return b"".join(mark_in_pieces(content, longest=longest))


def mark_one_by_one(content: bytes, *, longest: int = 10**7) -> bytes:
    """Mark each line as a chunk of its own, which none is marked together with."""
    file, terms = open_lines(content, longest=longest)
    summary, reply = Summary(), b""
    for line in file:
        marked = mark_chunk(terms, line, summary.lines)
        assert not marked.rest
        reply += marked.reply
        summary.add(marked.summary)
    return reply + write_summary(summary)


def submissions(count: int, *, width: int = 0) -> Iterator[bytes]:
    """Write defaults and so many submissions, each line filled up with spaces to a width."""
    yield dump_lines(DEFAULTS)
    lines = [dump_lines(json.dumps({"answers": answers}).encode().ljust(width)) for answers in ANSWERS]
    for number in range(count):
        yield lines[number % len(lines)]


def read_lines(content: bytes) -> tuple[list[Json], Json]:
    """Read a reply: its lines, whose indices have to be in order, and its summary."""
    assert content.endswith(b"\n"), "the reply is cut"
    *lines, last = [json.loads(line, parse_constant=_refuse) for line in content.splitlines()]
    assert list(last) == ["summary"], "the reply has no summary"
    assert [line["index"] for line in lines] == list(range(len(lines))), "the reply is out of order"
    assert all(set(line) - {"id"} in ({"index", "grade"}, {"index", "problem"}) for line in lines), "a line is neither"
    return lines, last["summary"]


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def count_lines(lines: Iterable[Json]) -> Json:
    """Count the lines of a reply as its summary has to."""
    lines = list(lines)
    grades = [line["grade"] for line in lines if "grade" in line]
    quantities: Json = {}
    for part in (part for grade in grades for part in grade["parts"]):
        counts = quantities.setdefault(part["quantity"], {"verdicts": Counter(), "mistakes": Counter()})
        counts["verdicts"][part["verdict"]] += 1
        counts["mistakes"].update(name for diagnosis in part.get("diagnoses", []) for name in diagnosis["mistakes"])
    return {
        "lines": len(lines),
        "problems": len(lines) - len(grades),
        "verdicts": Counter(grade["verdict"] for grade in grades),
        "quantities": quantities,
    }


OWN_PROBLEM = {"problem": REGRESSION_PROBLEM, "answers": {"L": 0.070625}}
OWN_EXERCISE = {"exercise": {"kind": "softmax_forward", "seed": 1}, "answers": {}}
