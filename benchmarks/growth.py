"""How time and memory grow with what is sent: ``python -m benchmarks.growth`` draws growth.svg.

Every point has a process of its own, warmed up at the smallest size: the median time of a call, and by how much the
first call raises the process's peak of memory. Dashed lines grow in proportion, through the last point.
"""

import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from pydantic import TypeAdapter

from app.schemas.compute_bodies import ForwardBody
from app.wire.reading import parse_body
from benchmarks.bulk import DEFAULTS, SHARE_WRONG, mark_alone, write_lines
from benchmarks.environment import environments
from benchmarks.harness import Call
from benchmarks.problems import draw_problem
from benchmarks.reading import write_body
from core.answers import read_answer
from core.budget import Budget
from core.propagation import compute_gradients

PICTURE = Path(__file__).with_name("growth.svg")
BOUNDLESS = Budget(numbers=10**12, operations=10**15)
REPEATS, REPEAT_SECONDS = 9, 2.0
PAGE = 4096
"""Memory is counted in pages; what fits into those at hand counts as one."""

BLUE, GREY = "#1f5f99", "#999999"


@dataclass(frozen=True)
class Axis:
    """What grows."""

    label: str
    sizes: Sequence[int]
    prepare: Callable[[int], tuple[int, Call]]
    """From a size to where its point stands, and the call to measure."""


def gradients(n_samples: int, widths: Sequence[int]) -> Call:
    """Return all gradients of a network with tanh and softmax."""
    problem = draw_problem(n_samples, widths, hidden="tanh", has_bias=True)
    return lambda: compute_gradients(problem, budget=BOUNDLESS)


def read(width: int) -> tuple[int, Call]:
    """Return the reading of a body, and its bytes."""
    raw = write_body(width)
    body: TypeAdapter[ForwardBody] = TypeAdapter(ForwardBody)
    return len(raw), lambda: parse_body(body, raw)


def read_text(numbers: int) -> tuple[int, Call]:
    """Return the reading of an answer's text, and its characters: a matrix as NumPy prints it."""
    array = np.random.default_rng(0).standard_normal((numbers // 10, 10))
    text = np.array2string(array, threshold=sys.maxsize)
    return len(text), lambda: read_answer(text)


def mark(lines: int) -> Call:
    """Return the marking of lines that share a problem; the reply is not kept."""
    content = DEFAULTS + b"".join(write_lines(lines, SHARE_WRONG))
    return lambda: sum(map(len, mark_alone(content)))


AXES = {
    "batch": Axis(
        "samples\n(784-256-128-10)", (1, 4, 16, 64, 256, 1024, 4096), lambda n: (n, gradients(n, (784, 256, 128, 10)))
    ),
    "classes": Axis("classes\n(64×64→K)", (2, 10, 100, 1000, 10_000, 50_000), lambda n: (n, gradients(64, (64, n)))),
    "depth": Axis(
        "layers\n(of 64, 64 samples)", (1, 2, 4, 8, 16, 32, 64, 128), lambda n: (n, gradients(64, (64,) * (n + 1)))
    ),
    "body": Axis("bytes of JSON\n(one matrix, read)", (5, 15, 50, 150, 500, 1000), read),
    "text": Axis("characters of text\n(one answer, read)", (10, 100, 1000, 10_000, 100_000), read_text),
    "submissions": Axis("submissions\n(5→3, one problem)", (1, 10, 100, 1000, 10_000), lambda n: (n, mark(n))),
}


def measure_point(name: str, size: int) -> tuple[int, float, int]:
    """Measure one size in this process: where it stands, seconds, bytes."""
    axis = AXES[name]
    axis.prepare(axis.sizes[0])[1]()
    place, call = axis.prepare(size)
    before = _start_peak()
    start = time.perf_counter()
    call()
    seconds = [time.perf_counter() - start]
    peak = _read_memory("VmHWM") - before
    while len(seconds) < REPEATS and sum(seconds) < REPEAT_SECONDS:
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return place, median(seconds), max(peak, PAGE)


def _start_peak() -> int:
    # the kernel forgets the peak so far, and counts anew from what the process holds now
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return _read_memory("VmRSS")


def _read_memory(field: str) -> int:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:"))


def measure_all() -> dict[str, list[tuple[int, float, int]]]:
    """Measure every point, one after the other."""
    os.environ.clear()
    os.environ.update(next(iter(environments().values())))
    points: dict[str, list[tuple[int, float, int]]] = {}
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        for name, axis in AXES.items():
            points[name] = []
            for size in axis.sizes:
                point = pool.apply(measure_point, (name, size))
                points[name].append(point)
                sys.stdout.write(f"{name} {point[0]}: {point[1] * 1e3:.3g} ms, {point[2] / 2**20:.3g} MiB\n")
    return points


def draw(points: dict[str, list[tuple[int, float, int]]]) -> None:
    """Draw time and memory over each axis, so that the same numbers give the same file."""
    mpl.rcParams.update({"svg.hashsalt": "growth", "svg.fonttype": "none", "font.size": 8})
    figure = Figure(figsize=(11, 4.6), layout="constrained")
    rows = figure.subplots(2, len(AXES), sharex="col", sharey="row")
    for column, (name, axis) in enumerate(AXES.items()):
        places, seconds, memory = (np.array(values, dtype=float) for values in zip(*points[name], strict=True))
        for panel, values in zip(rows[:, column], (seconds, memory / 2**20), strict=True):
            panel.loglog(places, values[-1] * places / places[-1], "--", color=GREY, linewidth=0.8)
            panel.loglog(places, values, "o-", color=BLUE, linewidth=1.4, markersize=3)
            panel.grid(visible=True, which="major", color="#e0e0e0", linewidth=0.6)
            panel.minorticks_off()
        rows[0, column].set_title(name)
        rows[1, column].set_xlabel(axis.label)
    everything = [point for several in points.values() for point in several]
    for row, all_values in zip(rows, ([p[1] for p in everything], [p[2] / 2**20 for p in everything]), strict=True):
        row[0].set_ylim(min(all_values) / 2, max(all_values) * 2)
    rows[0, 0].set_ylabel("seconds")
    rows[1, 0].set_ylabel("MiB at the peak")
    figure.savefig(PICTURE, metadata={"Date": None, "Creator": None})


if __name__ == "__main__":
    draw(measure_all())
