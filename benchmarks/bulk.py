"""Marking 5×3 answers to one shared problem: over HTTP beside a script, and by the command with two processes.

The script calls json.loads, np.array and np.allclose for each line. Right lines are all different, by machine. Wrong
ones are mistakes of the catalogue with six decimals, so they recur.
"""

import io
import json
import random
import subprocess
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from app.access.admission import Access
from app.marking.chunks import Terms, mark_chunk
from app.marking.lines import read_chunk, take_defaults
from app.settings import Settings
from benchmarks.harness import Goal, Row, measure, set_beside
from benchmarks.problems import describe, draw_problem, write_json
from benchmarks.servers import Connection, join_chunks, serve_ours, write_request
from benchmarks.students import are_finite, make_mistakes, suspects_of
from core.budget import Budget
from core.grading import read_asks
from tests.support.server import ROOT, command, environment

LINES = 20_000
FILE_LINES = 400_000
ROUNDS = 7
SCRIPT = "json.loads and np.allclose one by one, over ours"
GOAL, GOAL_OF_TWO = Goal(12.0, at_least=True), Goal(1.6, at_least=True)
SHARE_WRONG = 0.3

WHY = (
    "The 20,000 lines are 7 MB, and the reply is 11. Of some 45 ms over HTTP the marking takes 25, and the kernel 16, "
    "to copy bytes between processes and into the temporary file. The request has arrived before a line is marked, and "
    "nothing is marked while a reply is sent. Turns of 512 KiB save a fifth against 256; with 1024 replies are cut."
)

EVERYBODY = Access(Settings.model_construct()).everybody

PROBLEM = draw_problem(4, (5, 3), decimals=2, has_bias=True)
IDS = read_asks(("dL_dW",), PROBLEM)
SUSPECTS = suspects_of(PROBLEM, IDS)
TRUTH = SUSPECTS.scenarios.value("dL_dW1")
WRONG = [
    np.round(answers["dL_dW"], 6).tolist()
    for _, answers in make_mistakes(SUSPECTS, IDS)
    if are_finite(answers) and answers["dL_dW"].shape == TRUTH.shape and not np.allclose(answers["dL_dW"], TRUTH)
]
DEFAULTS = write_json({"defaults": {"problem": describe(PROBLEM)}}) + b"\n"


def write_lines(count: int, share_wrong: float) -> Iterator[bytes]:
    """Write answers by machine, no two alike, and mistakes of the catalogue with six decimals."""
    source, noise = random.Random(0), np.random.default_rng(0)
    for _ in range(count):
        right = (TRUTH * (1.0 + 1e-9 * noise.normal(size=TRUTH.shape))).tolist()
        answer = source.choice(WRONG) if source.random() < share_wrong else right
        yield write_json({"answers": {"dL_dW": answer}}) + b"\n"


def compare_one_by_one(lines: list[bytes]) -> list[bool]:
    """Compare as a script would."""
    return [np.allclose(np.array(json.loads(line)["answers"]["dL_dW"]), TRUTH) for line in lines]


def mark_alone(content: bytes) -> Iterator[bytes]:
    """Mark as the service does, without HTTP and files."""
    file, longest = io.BytesIO(content), 2**25
    terms = Terms(caller=EVERYBODY, budget=Budget(), longest=longest, defaults=take_defaults(file, longest))
    lines = 0
    while chunk := read_chunk(file, longest):
        while chunk:
            marked = mark_chunk(terms, chunk, lines)
            chunk = marked.rest
            lines += marked.summary.lines
            yield marked.reply


def rows_beside_script(connection: Connection, share_wrong: float) -> Iterator[Row]:
    """Time the service, and the marking alone, beside a script."""
    lines = list(write_lines(LINES, share_wrong))
    content = DEFAULTS + b"".join(lines)
    request = write_request("/v1/grades/bulk", content, media_type="application/jsonl")
    replies = join_chunks(connection.exchange(request)).splitlines()[:-1]
    assert [b'"score":1.0,"verdict":"correct"' in line for line in replies] == compare_one_by_one(lines)
    timings = measure(
        {
            "ours": partial(connection.exchange, request),
            "alone": lambda: sum(map(len, mark_alone(content))),
            SCRIPT: partial(compare_one_by_one, lines),
        }
    )
    script, what = timings.samples[SCRIPT], f"{LINES} JSON lines of 5×3, {share_wrong:.0%} wrong"
    goal = None if share_wrong else GOAL
    for way, name in (("over HTTP", "ours"), ("the marking alone", "alone")):
        yield set_beside(f"{what}, {way}", SCRIPT, timings.samples[name], script, goal, why=WHY, inverse=True)


def time_command(source: Path, processes: int) -> float:
    """Mark a file by the command; return the seconds it took."""
    arguments = [str(source), str(source.with_suffix(".grades")), "--processes", str(processes)]
    start = time.perf_counter()
    subprocess.run(  # noqa: S603 - our own command
        [*command("grade"), *arguments], cwd=ROOT, env=environment(), stderr=subprocess.DEVNULL, check=True
    )
    return time.perf_counter() - start


def rows_of_command() -> Iterator[Row]:
    """Time one process and two in turn: the whole command, and what the lines take once it has started."""
    whole, further = {1: [], 2: []}, {1: [], 2: []}  # type: tuple[dict[int, list[float]], dict[int, list[float]]]
    with tempfile.TemporaryDirectory() as folder:
        few, many = Path(folder) / "few.jsonl", Path(folder) / "many.jsonl"
        few.write_bytes(DEFAULTS + b"".join(write_lines(FILE_LINES // 10, 0.0)))
        many.write_bytes(DEFAULTS + b"".join(write_lines(FILE_LINES, 0.0)))
        for _ in range(ROUNDS):
            for processes in (1, 2):
                whole[processes].append(time_command(many, processes))
                further[processes].append(whole[processes][-1] - time_command(few, processes))
    one, what = "one process, over two", "JSON lines of 5×3, two processes of the command"
    yield set_beside(f"{FILE_LINES} {what}, its start left out", one, further[2], further[1], GOAL_OF_TWO, inverse=True)
    yield set_beside(f"{FILE_LINES} {what}, the whole", one, whole[2], whole[1], inverse=True)


def rows() -> Iterator[Row]:
    """Measure each mix over HTTP, and processes."""
    with serve_ours() as port:
        connection = Connection(port)
        for share in (0.0, SHARE_WRONG):
            yield from rows_beside_script(connection, share)
        connection.close()
    yield from rows_of_command()
