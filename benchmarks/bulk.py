"""Bulk marking over HTTP, by httpx and by curl: ``python -m benchmarks.bulk [lines]``."""

import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np

from benchmarks.marking import small_problem
from benchmarks.students import make_mistakes, work_by_hand
from core.grading import Question, Solution, read_asks
from core.problem import Problem
from tests.app.server import run_server

ASKS = ("dL_dZ2", "dL_dW2")
SHARE_WRONG = 0.3


def write_lines(count: int) -> Iterator[str]:
    """Write a course's submissions to one problem: honest work, and mistakes of the catalogue."""
    problem = small_problem()
    ids = read_asks(ASKS, problem)
    suspects = Solution(Question(problem=problem, asks=ids)).suspects
    right = {text: value.tolist() for text, value in work_by_hand(problem, ids, 4).items()}
    wrong = [
        {text: np.round(value, 4).tolist() for text, value in answers.items()}
        for _, answers in make_mistakes(suspects, ids)
    ]
    yield json.dumps({"defaults": {"problem": as_json(problem), "asks": ASKS, "feedback": "diagnosis"}})
    source = random.Random(0)
    for _ in range(count):
        yield json.dumps({"answers": source.choice(wrong) if source.random() < SHARE_WRONG else right})


def as_json(problem: Problem) -> dict[str, object]:
    """Write a problem as a request has it."""
    layers = [
        {
            "weights": layer.weights.tolist(),
            "bias": np.asarray(layer.bias).tolist(),
            "activation": layer.activation,
        }
        for layer in problem.network.layers
    ]
    return {
        "network": {"layers": layers},
        "inputs": problem.inputs.tolist(),
        "targets": np.asarray(problem.targets).tolist(),
        "loss": problem.loss,
        "conventions": {"reduction": "mean"},
    }


def send_by_httpx(address: str, requests: Path, replies: Path) -> None:
    """Send a file as one streamed request, and write the reply as it comes."""
    headers = {"Content-Type": "application/jsonl"}
    with (
        requests.open("rb") as source,
        replies.open("wb") as target,
        # reading and marking everything comes before the first byte of the reply
        httpx.stream("POST", f"{address}/v1/grades/bulk", content=source, headers=headers, timeout=600) as reply,
    ):
        reply.raise_for_status()
        for chunk in reply.iter_bytes():
            target.write(chunk)


def send_by_curl(address: str, requests: Path, replies: Path) -> None:
    """Send a file by curl."""
    command = ["curl", "--silent", "--fail", "--data-binary", f"@{requests}", "--output", str(replies)]
    command += ["--header", "Content-Type: application/jsonl", f"{address}/v1/grades/bulk"]
    subprocess.run(command, check=True)  # noqa: S603 - a fixed command


def main() -> None:
    """Print a table: a tenth of the lines, then all of them, by each client."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    clients = {"httpx": send_by_httpx} | ({"curl": send_by_curl} if shutil.which("curl") else {})
    sys.stdout.write("| client | lines | answered | seconds | lines a second | server's peak MiB |\n")
    sys.stdout.write("|---|---:|---:|---:|---:|---:|\n")
    with tempfile.TemporaryDirectory() as folder:
        requests, replies = Path(folder) / "requests.jsonl", Path(folder) / "replies.jsonl"
        for name, send in clients.items():
            with run_server() as server:
                address = f"http://127.0.0.1:{server.port}"
                for lines in (count // 10, count):
                    requests.write_text("\n".join(write_lines(lines)))
                    start = time.perf_counter()
                    send(address, requests, replies)
                    seconds = time.perf_counter() - start
                    with replies.open() as reply:
                        answered = sum('"grade"' in line for line in reply)
                    row = (
                        name,
                        lines,
                        answered,
                        f"{seconds:.1f}",
                        round(lines / seconds),
                        f"{server.memory('VmHWM') / 2**20:.0f}",
                    )
                    sys.stdout.write(f"| {' | '.join(map(str, row))} |\n")


if __name__ == "__main__":
    main()
