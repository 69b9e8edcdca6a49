"""Marking JSON lines of 5×3 answers to one shared problem, beside json.loads and np.allclose one by one.

Right lines are all different, by machine; wrong ones are mistakes of the catalogue, to six decimals, so they recur.
Then processes that mark a file, as the command does: one beside two.
"""

import io
import json
import random
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from app.access import Access
from app.marking import Bulk
from app.marking.workers import FileWork, mark_file
from app.settings import Settings
from benchmarks.bulk import as_json
from benchmarks.environment import describe_threads
from benchmarks.harness import Goal, Row, hand_over, measure, set_beside
from benchmarks.students import make_mistakes
from core.budget import Budget
from core.grading import Question, Solution, read_asks
from core.problem import Layer, Network, Problem

EVERYBODY = Access(Settings.model_construct()).everybody
LINES = 20_000
FILE_LINES = 400_000
ROUNDS = 9
ONE_BY_ONE = "json.loads and np.allclose one by one"
GOAL, GOAL_OF_TWO = Goal(12.0, at_least=True), Goal(1.8, at_least=True)
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
SUSPECTS = Solution(Question(problem=PROBLEM, asks=IDS)).suspects
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
    return b"".join(Bulk(io.BytesIO(content), caller=EVERYBODY, budget=Budget(), longest=LONGEST).replies())


def compare_one_by_one(lines: list[bytes]) -> list[bool]:
    """Compare as a script would."""
    return [np.allclose(np.array(json.loads(line)["answers"]["dL_dW"]), TRUTH) for line in lines]


def compare(share_wrong: float) -> Row:
    """Time both ways side by side."""
    lines = list(write_lines(LINES, share_wrong))
    content = DEFAULTS + b"".join(lines)
    said = [b'"score":1.0,"verdict":"correct"' in line for line in mark_together(content).splitlines()[:-1]]
    assert said == compare_one_by_one(lines)
    timings = measure({"ours": partial(mark_together, content), ONE_BY_ONE: partial(compare_one_by_one, lines)})
    return set_beside(
        f"marking {LINES} JSON lines of 5×3, {share_wrong:.0%} wrong",
        f"{ONE_BY_ONE}, over ours",
        timings.samples["ours"],
        timings.samples[ONE_BY_ONE],
        GOAL if not share_wrong else None,
        inverse=True,
    )


def time_processes(source: Path, processes: int) -> tuple[float, float]:
    """Mark a file; return the seconds to the first chunk, and the seconds for the last nine tenths of the bytes."""
    target = source.with_suffix(f".{processes}")
    target.touch()
    with source.open("rb") as file:
        terms = Bulk(file, caller=EVERYBODY, budget=Budget(), longest=LONGEST).terms
        work = FileWork(terms=terms, source=source, start=file.tell(), target=target)
    start, size = time.perf_counter(), source.stat().st_size
    marks = [(time.perf_counter() - start, done.end) for done in mark_file(work, processes)]
    target.unlink()
    steady = [mark for mark in marks if mark[1] > size / 10]
    (begun, first), (ended, last) = steady[0], steady[-1]
    return marks[0][0], (ended - begun) / (last - first) * 0.9 * size


def compare_processes() -> Iterator[Row]:
    """Time one process and two in turn, once they have started, and how long it takes them to start."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "submissions.jsonl"
        source.write_bytes(DEFAULTS + b"".join(write_lines(FILE_LINES, 0.0)))
        time_processes(source, 2)
        ones, twos = zip(*[(time_processes(source, 1), time_processes(source, 2)) for _ in range(ROUNDS)], strict=True)
    what = f"two processes that mark {FILE_LINES} JSON lines of 5×3"
    started, steady = zip(*twos, strict=True)
    yield set_beside(
        f"{what}, once started", "one process, over two", steady, [one for _, one in ones], GOAL_OF_TWO, inverse=True
    )
    yield set_beside(f"{what}, until they start", "one process", started, [one for one, _ in ones])


def rows() -> Iterator[Row]:
    """Measure each mix, and processes."""
    for share in (0.0, SHARE_WRONG):
        yield compare(share)
    yield from compare_processes()


if __name__ == "__main__":
    hand_over(rows(), describe_threads)
