"""Marking lines of 5×3 answers, and comparing them one by one: ``python -m benchmarks.bulk_lines``.

All lines are different, and answer one problem, which is shared. The second table compares processes that mark a file.
"""

import io
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

import numpy as np

from app.bulk import Bulk
from app.bulk.workers import FileWork, mark_file
from benchmarks.bulk import as_json
from benchmarks.students import make_mistakes
from core.budget import Budget
from core.grading import Marker, Question, read_asks
from core.problem import Layer, Network, Problem

LINES = 20_000
FILE_LINES = 400_000
ROUNDS = 9
SHARE_WRONG = 0.3
LONGEST = 2**25


def shared_problem() -> Problem:
    """Return a softmax layer of five inputs and three classes, at four samples."""
    source = np.random.default_rng(0)
    layer = Layer(weights=np.round(source.normal(size=(5, 3)), 2), bias=np.zeros(3), activation="softmax")
    return Problem(
        network=Network(layers=(layer,)),
        inputs=np.round(source.normal(size=(4, 5)), 2),
        targets=np.array([0, 1, 2, 1]),
        loss="cross_entropy",
    )


PROBLEM = shared_problem()
IDS = read_asks(("dL_dW",), PROBLEM)
SUSPECTS = Marker(Question(problem=PROBLEM, asks=IDS)).solution.suspects
TRUTH = SUSPECTS.scenarios.value("dL_dW1")
WRONG = [
    np.round(answers["dL_dW"], 6).tolist()
    for _, answers in make_mistakes(SUSPECTS, IDS)
    if answers["dL_dW"].shape == TRUTH.shape and not np.allclose(answers["dL_dW"], TRUTH)
]
DEFAULTS = json.dumps({"defaults": {"problem": as_json(PROBLEM)}}).encode() + b"\n"


def write_lines(count: int, share_wrong: float) -> Iterator[bytes]:
    """Write answers by machine, none like another, and mistakes of the catalogue to six decimals."""
    source, noise = random.Random(0), np.random.default_rng(0)
    for _ in range(count):
        right = (TRUTH * (1.0 + 1e-9 * noise.normal(size=TRUTH.shape))).tolist()
        answer = source.choice(WRONG) if source.random() < share_wrong else right
        yield json.dumps({"answers": {"dL_dW": answer}}).encode() + b"\n"


def mark_together(content: bytes) -> bytes:
    """Mark as the service does."""
    return b"".join(Bulk(io.BytesIO(content), budget=Budget(), longest=LONGEST).replies())


def compare_one_by_one(lines: list[bytes]) -> list[bool]:
    """Compare as a script would."""
    return [np.allclose(np.array(json.loads(line)["answers"]["dL_dW"]), TRUTH) for line in lines]


def time_once(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def compare(share_wrong: float) -> str:
    """Time both ways in turn, and write a row: microseconds a line each, and the median of the paired ratios."""
    lines = list(write_lines(LINES, share_wrong))
    content = DEFAULTS + b"".join(lines)
    said = [b'"score":1.0,"verdict":"correct"' in line for line in mark_together(content).splitlines()[:-1]]
    assert said == compare_one_by_one(lines)
    pairs = [
        (time_once(lambda: mark_together(content)), time_once(lambda: compare_one_by_one(lines))) for _ in range(ROUNDS)
    ]
    ours, theirs = (median(several) / LINES * 1e6 for several in zip(*pairs, strict=True))
    ratio = median(one / other for other, one in pairs)
    return f"| {share_wrong:.0%} | {ours:.2f} | {theirs:.2f} | {ratio:.1f} |\n"


def time_processes(source: Path, processes: int) -> tuple[float, float]:
    """Mark a file; return the seconds until the first chunk is done, and the bytes a second from a tenth on."""
    target = source.with_suffix(f".{processes}")
    target.touch()
    with source.open("rb") as file:
        terms = Bulk(file, budget=Budget(), longest=LONGEST).terms
        work = FileWork(terms=terms, source=source, start=file.tell(), target=target)
    start, size = time.perf_counter(), source.stat().st_size
    marks = [(time.perf_counter() - start, done.end) for done in mark_file(work, processes)]
    target.unlink()
    steady = [mark for mark in marks if mark[1] > size / 10]
    (begun, first), (ended, last) = steady[0], steady[-1]
    return marks[0][0], (last - first) / (ended - begun)


def compare_processes() -> str:
    """Time one process and two in turn, and write a row."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "submissions.jsonl"
        source.write_bytes(DEFAULTS + b"".join(write_lines(FILE_LINES, 0.0)))
        pairs = [(time_processes(source, 1), time_processes(source, 2)) for _ in range(ROUNDS)]
    started = median(two[0] for _, two in pairs)
    one, two = (median(several) / 1e6 for several in zip(*((one[1], two[1]) for one, two in pairs), strict=True))
    ratio = median(two[1] / one[1] for one, two in pairs)
    return f"| {one:.0f} | {two:.0f} | {ratio:.2f} | {started:.2f} |\n"


def main() -> None:
    """Print both tables."""
    sys.stdout.write("| wrong lines | Gradmark, µs a line | one by one, µs a line | ratio |\n|---:|---:|---:|---:|\n")
    for share in (0.0, SHARE_WRONG):
        sys.stdout.write(compare(share))
    sys.stdout.write("\n| one process, MB/s | two, MB/s | ratio | start, s |\n|---:|---:|---:|---:|\n")
    sys.stdout.write(compare_processes())


if __name__ == "__main__":
    main()
