"""Clients that retry at once: wrk with more and more kept connections, beside a probe of health.

Each connection sends a small computation as soon as its last one was answered, be it with 200 or 503. So a refusal that
costs as much as an answer leaves no time for answers. wrk does it because it is cheap: a client in Python would take
the second core and send a third of the requests.
"""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np

from app.examples import ARTICLE
from benchmarks.report import seconds as write_seconds
from benchmarks.servers import probe_until, serve_ours

CONNECTIONS = (48, 100, 200, 400)
"""The first is what the service bears; the others are compared with it."""

LEAST_SHARE = 0.8
"""Of the first one's accepted requests a second."""

MOST_HEALTH = 0.1
ROUNDS, WARM_UP_SECONDS = 5, 2

SCRIPT = """
wrk.method, wrk.headers["Content-Type"], wrk.body = "POST", "application/json", [==[%s]==]
function done(summary)
  local errors = summary.errors
  local broken = errors.connect + errors.read + errors.write + errors.timeout
  local found = '\\n{"requests": %%d, "refused": %%d, "broken": %%d, "microseconds": %%d}'
  io.write(found:format(summary.requests, errors.status, broken, summary.duration))
end
"""
"""Lua for wrk. It counts any status over 399 as a refusal."""

NOT_INSTALLED = "Not measured: wrk is not installed (`apt-get install wrk` on Debian)."


@dataclass(frozen=True)
class Run:
    """What came of some connections at once."""

    accepted: float
    """A second, like the next one."""
    refused: float
    broken: int
    """Requests without an answer."""
    health: list[float]
    """What each probe took, in seconds."""


def measure(seconds: int, **settings: object) -> list[list[Run]]:
    """Measure each number of connections for so long in each of some rounds."""
    keep_to_two_cores()
    with serve_ours(**settings) as port:
        run_wrk(port, CONNECTIONS[0], WARM_UP_SECONDS)
        return [[run_wrk(port, connections, seconds) for connections in CONNECTIONS] for _ in range(ROUNDS)]


def keep_to_two_cores() -> None:
    """Leave this process, and those that it starts, two cores where the system can."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])


def run_wrk(port: int, connections: int, seconds: int) -> Run:
    """Run wrk, and probe health meanwhile."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(SCRIPT % json.dumps(ARTICLE))
        script.flush()
        command = ["wrk", "--threads", "1", "--connections", str(connections), "--duration", str(seconds)]
        command += ["--script", script.name, f"http://127.0.0.1:{port}/v1/softmax-layer"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - fixed
            health = probe_until(port, lambda: process.poll() is not None)
            assert process.stdout is not None
            found: dict[str, Any] = json.loads(process.stdout.read().splitlines()[-1])
    took = found["microseconds"] / 1e6
    return Run(
        accepted=(found["requests"] - found["refused"]) / took,
        refused=found["refused"] / took,
        broken=found["broken"],
        health=health,
    )


def write_report(rounds: Sequence[Sequence[Run]]) -> tuple[str, bool]:
    """Write the table, and tell whether all goals are reached."""
    lines = [
        f"| connections | accepted/s | share of {CONNECTIONS[0]} | refused/s | broken | health p99 | reached |",
        "|---:|---:|---:|---:|---:|---:|---|",
    ]
    reached = []
    for connections, *runs in zip(CONNECTIONS, *rounds, strict=True):
        accepted, refused = (
            median(rates) for rates in zip(*((run.accepted, run.refused) for run in runs), strict=True)
        )
        share = median(run.accepted / first.accepted for run, (first, *_) in zip(runs, rounds, strict=True))
        broken = sum(run.broken for run in runs)
        health = float(np.quantile([took for run in runs for took in run.health], 0.99, method="higher"))
        is_reached = share >= LEAST_SHARE and health <= MOST_HEALTH
        reached.append(is_reached)
        rates = f"{accepted:.0f} | {share:.0%} | {refused:.0f} | {broken}"
        said = "yes" if is_reached else "**no**"
        lines.append(f"| {connections} | {rates} | {write_seconds(health)} | {said} |")
    goal = f"at least {LEAST_SHARE:.0%}, and at most {write_seconds(MOST_HEALTH)} for health"
    lines += ["", f"Medians of {len(rounds)} rounds; the share is taken within a round. Goal: {goal}."]
    return "\n".join(lines), all(reached)


def measure_if_installed(seconds: float, **settings: object) -> tuple[str, bool]:
    """Measure for about so long altogether, and report; without wrk, say so."""
    if shutil.which("wrk") is None:
        return NOT_INSTALLED, False
    return write_report(measure(max(1, round(seconds / len(CONNECTIONS) / ROUNDS)), **settings))
