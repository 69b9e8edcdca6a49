"""The service under more than it can bear, beside a probe of its health: ``python -m benchmarks.load [--write]``.

First come clients that retry at once (`retries.py`). Then requests come at four times the rate that it can bear, at
random times, whatever the service does: measured before are each kind of request alone, and how many of the mix are
answered a second while some always wait. The exit status is 1 if a goal is not reached.
"""

import multiprocessing
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import cycle, islice

import numpy as np

from app.examples import ARTICLE
from app.settings import Settings
from benchmarks.environment import describe_machine
from benchmarks.load_client import Ask, Outcome, ask_closed, ask_open, come_first
from benchmarks.problems import describe, draw_problem, write_json
from benchmarks.report import build_parser, publish
from benchmarks.report import seconds as write_seconds
from benchmarks.retries import MOST_HEALTH, measure_if_installed
from benchmarks.servers import probe_until, serve_ours, write_request
from benchmarks.students import are_finite, keys_of, make_mistakes, suspects_of
from core.exercises import draw_exercise

LARGE_WIDTH = 230
MEDIUM_WIDTH = 70
SEEDS = 8
DRAWN_SEEDS = 100
BULK_LINES = 200
IN_BULK = f"{BULK_LINES} lines in bulk"
ALONE_SECONDS = 2.0
CAPACITY_SECONDS = 6.0
IN_FLIGHT = 16
MOST_REQUESTS = 1_000_000


MOST_SLOWDOWN = 2.0
"""Of what a request takes alone; the longest wait for a turn comes on top;
marking in bulk gives way to others, and has none."""

REFUSAL = "503 with Retry-After"


@dataclass(frozen=True)
class Measured:
    """A run.

    Parameters
    ----------
    alone : mapping of str to float
        What each kind of request takes with nothing beside it.
    capacity : float
        Answers a second.
    seconds : float
        How long requests were sent.
    outcomes : sequence of Outcome
    health : sequence of float
        What each probe took; infinite where it failed.
    """

    alone: Mapping[str, float]
    capacity: float
    seconds: float
    outcomes: Sequence[Outcome]
    health: Sequence[float]


def make_asks() -> list[Ask]:
    """Make the mix of a deadline: mostly submissions, and beside them some of all else that there is."""
    submissions = make_submissions()
    lines = b"\n".join(islice(cycle(submissions), BULK_LINES))
    medium, large = (write_json(describe(draw_problem(1, (width, width)))) for width in (MEDIUM_WIDTH, LARGE_WIDTH))
    draws = [b"GET /v1/exercises/two_layer_network?seed=%d HTTP/1.1\r\n" % seed for seed in range(DRAWN_SEEDS)]
    return [
        *(Ask("a submission", write_request("/v1/grades", body), 0.70 / len(submissions)) for body in submissions),
        Ask("a small computation", write_request("/v1/softmax-layer", write_json(ARTICLE)), 0.20),
        *(Ask("an exercise", draw + b"Host: localhost\r\n\r\n", 0.03 / len(draws)) for draw in draws),
        Ask(f"{len(medium) / 1e3:.0f} kB of JSON", write_request("/v1/gradients", medium), 0.03),
        Ask(f"{len(large) / 1e6:.1f} MB of JSON", write_request("/v1/forward", large), 0.03),
        Ask(IN_BULK, write_request("/v1/grades/bulk", lines, media_type="application/jsonl"), 0.01),
    ]


def make_submissions() -> list[bytes]:
    """Make submissions for exercises of two layers, six gradients each, every one with another mistake."""
    bodies = []
    for seed in range(SEEDS):
        exercise = draw_exercise("two_layer_network", seed)
        ids = keys_of(exercise)
        made = [answers for _, answers in make_mistakes(suspects_of(exercise.problem, ids), ids) if are_finite(answers)]
        for answers in islice(made, seed, None, SEEDS):
            written = {text: np.round(value, exercise.decimals).tolist() for text, value in answers.items()}
            reference = {"kind": exercise.kind, "seed": seed}
            bodies.append(write_json({"exercise": reference, "answers": written}))
    return bodies


def measure(*, times: float, seconds: float, **settings: object) -> Measured:
    """Measure alone, the capacity, and so many times that."""
    asks = make_asks()
    # the client has an interpreter of its own, so that neither it nor the probe waits for the other
    pool = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), initializer=come_first)
    with serve_ours(**settings) as port, pool:
        alone = {}
        for kind in dict.fromkeys(ask.kind for ask in asks):
            alike = [ask for ask in asks if ask.kind == kind]
            found = pool.submit(ask_closed, port, alike, 1, ALONE_SECONDS).result()
            alone[kind] = float(np.median([outcome.seconds for outcome in found]))
        found = pool.submit(ask_closed, port, asks, IN_FLIGHT, CAPACITY_SECONDS).result()
        capacity = sum(outcome.is_accepted for outcome in found) / CAPACITY_SECONDS
        rate = min(times * capacity, MOST_REQUESTS / seconds)
        come_first()
        load = pool.submit(ask_open, port, asks, rate, seconds)
        health = probe_until(port, load.done)
        return Measured(alone, capacity, seconds, load.result(), health)


def write_report(measured: Measured, *, queue_seconds: float) -> tuple[str, bool]:
    """Write the tables, and tell whether all goals are reached."""
    lines = [
        "| | alone | offered/s | accepted/s | refused/s | p50 | p99 | longest | goal: p99 ≤ | reached |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|---|",
    ]
    reached = []
    for kind, alone in measured.alone.items():
        outcomes = [outcome for outcome in measured.outcomes if outcome.kind == kind]
        accepted = [outcome.seconds for outcome in outcomes if outcome.is_accepted]
        rates = (len(outcomes), len(accepted), sum(outcome.is_refused for outcome in outcomes))
        times, is_reached = write_times(accepted, None if kind == IN_BULK else MOST_SLOWDOWN * alone + queue_seconds)
        cells = [kind, write_seconds(alone), *(f"{number / measured.seconds:.0f}" for number in rates), *times]
        lines.append(f"| {' | '.join(cells)} |")
        reached.append(is_reached)
    times, is_reached = write_times(measured.health, MOST_HEALTH)
    cells = ["/health/live", "", f"{len(measured.health) / measured.seconds:.0f}", "", "", *times]
    lines.append(f"| {' | '.join(cells)} |")
    reached.append(is_reached)
    others = [outcome for outcome in measured.outcomes if not (outcome.is_accepted or outcome.is_refused)]
    reached.append(not others)
    counts = Counter(outcome.what for outcome in measured.outcomes)
    lines += ["", "| answer | requests |", "|---|---:|"]
    lines += [f"| {what} | {number} |" for what, number in counts.most_common()]
    lines += ["", f"Nothing but 200 and {REFUSAL}: {say(is_reached=not others)}."]
    return "\n".join(lines), all(reached)


def write_times(seconds: Sequence[float], goal: float | None) -> tuple[list[str], bool]:
    """Write how long answers took beside their goal, and tell whether it is reached, if there is one."""
    p50, p99, longest = np.quantile(seconds, (0.5, 0.99, 1.0), method="higher") if seconds else (np.inf,) * 3
    if goal is None:
        return [*map(write_seconds, (p50, p99, longest)), "gives way", ""], True
    is_reached = bool(p99 <= goal)
    return [*map(write_seconds, (p50, p99, longest, goal)), say(is_reached=is_reached)], is_reached


def say(*, is_reached: bool) -> str:
    """Say whether a goal is reached."""
    return "yes" if is_reached else "**no**"


def main() -> int:
    """Measure, and print the tables."""
    parser = build_parser("benchmarks.load", __doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long each part takes; by default 60")
    parser.add_argument("--times", type=float, default=4.0, help="how many times the capacity; by default 4")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of the service")
    parsed = parser.parse_args()
    settings = dict(pair.split("=", 1) for pair in parsed.set)
    retries, no_retry_harms = measure_if_installed(parsed.seconds, **settings)
    measured = measure(times=parsed.times, seconds=parsed.seconds, **settings)
    queue_seconds = float(settings.get("queue_seconds", Settings.model_fields["queue_seconds"].default))
    report, is_reached = write_report(measured, queue_seconds=queue_seconds)
    offered = len(measured.outcomes) / measured.seconds
    parts = (
        f"Measured on {describe_machine()}.",
        "### Clients that retry at once",
        retries,
        f"### {parsed.times:g} times the capacity",
        f"Capacity {measured.capacity:.0f}/s; {offered:.0f}/s offered for {measured.seconds:.0f} s.",
        report,
    )
    publish("benchmarks.load", "\n\n".join(parts), write=parsed.write)
    return 0 if is_reached and no_retry_harms else 1


if __name__ == "__main__":
    sys.exit(main())
