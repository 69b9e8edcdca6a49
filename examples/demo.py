"""The main job on real input: explain the source article's layer, mark what it prints, then learn make-moons.

Run it as ``python -m examples.demo``. It starts the service on a free port, talks to it over HTTP only,
and stops it at the end.
"""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import httpx
import numpy as np
import numpy.typing as npt
from tqdm import tqdm

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]

WEIGHTS = [[0.1, 0.2, 0.3, 0.4, 0.5], [0.6, 0.7, 0.8, 0.9, 0.1], [0.11, 0.12, 0.13, 0.14, 0.15]]
INPUTS = [0.1, 0.5, 0.4]
TARGET = 2

SAMPLES = 300
NOISE = 0.1
STEPS = 1500
CHUNK = 50
LEARNING_RATE = 1.0
NEEDED_ACCURACY = 0.97


@contextmanager
def run_service() -> Iterator[httpx.Client]:
    """Start the service on a free port, and stop it at the end.

    Yields
    ------
    httpx.Client
        Bound to the running service.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    # nobody else sends requests here that would have to be served for a while when it stops
    environment = os.environ | {
        "GRADMARK_PORT": str(port),
        "GRADMARK_LOG_LEVEL": "warning",
        "GRADMARK_DRAIN_SECONDS": "0",
    }
    server = subprocess.Popen([sys.executable, "-m", "app", "serve"], env=environment)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False) as client:
            wait_until_ready(client, server)
            print(f"Gradmark {client.get('/version').json()['version']} on port {port}\n")
            yield client
    finally:
        server.terminate()
        server.wait(timeout=20)


def wait_until_ready(client: httpx.Client, server: subprocess.Popen[bytes]) -> None:
    """Wait until the service says that it is ready.

    Raises
    ------
    SystemExit
        If it ends first, or is not ready within 30 seconds.
    """
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and server.poll() is None:
        try:
            if client.get("/health/ready").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    sys.exit("the service did not start")


def post(client: httpx.Client, path: str, body: object) -> dict[str, object]:
    """Post a body and return the reply.

    Raises
    ------
    SystemExit
        If the service refuses; its problem document is printed.
    """
    reply = client.post(path, json=body)
    if reply.status_code != 200:
        sys.exit(f"{path} answered {reply.status_code}: {reply.text}")
    result: dict[str, object] = reply.json()
    return result


def explain_article(client: httpx.Client) -> None:
    """Print the article's chain: each factor with its shape and numbers, and the shortcut beside it."""
    reply = post(client, "/v1/softmax-layer", {"weights": WEIGHTS, "inputs": INPUTS, "target": TARGET})
    quantities = reply["quantities"]
    chain = reply["chain"]
    assert isinstance(quantities, dict)
    assert isinstance(chain, dict)
    print("1. The softmax layer of the source article: 3 inputs, 5 classes, the third is right\n")
    print(f"   loss = {reply['loss']}\n")
    for name in ("Z", "S", *chain["factors"], "dS_dW"):
        show(name, quantities[name]["value"])
    row = np.array(chain["row"])
    print("   The long way, dL_dS · dS_dZ · dZ_dW: a row that stacks W by columns")
    show("row", row)
    print("   The shortcut, x ⊗ (S − y): in W's own shape")
    show("dL_dW", quantities["dL_dW"]["value"])
    print(f"   Largest difference between the two ways: {chain['max_abs_difference']:.1e}\n")
    show_erratum(row, np.array(quantities["dL_dW"]["value"]))


def show(name: str, value: object) -> None:
    """Print one quantity with its shape."""
    array = np.asarray(value)
    numbers = np.array2string(array, precision=4, suppress_small=True, max_line_width=132, floatmode="fixed")
    print(f"   {name} {array.shape}")
    print("     " + numbers.replace("\n", "\n     ") + "\n")


def show_erratum(row: Floats, gradient: Floats) -> None:
    """Print what the article makes of the row, and how far that is from the gradient."""
    printed = row.reshape(gradient.shape)
    cosine = float((printed * gradient).sum() / (np.linalg.norm(printed) * np.linalg.norm(gradient)))
    print("   Erratum: the article reshapes that row to (3, 5) by rows, so right numbers land in wrong cells;")
    print(
        f"   the cosine between what it prints and the gradient is {cosine:.2f}. Stacked back by columns it is right:"
    )
    restored = row.reshape(gradient.shape[::-1]).T
    print(f"   row.reshape(5, 3).T differs from dL_dW by {np.abs(restored - gradient).max():.1e}\n")


def mark_students(client: httpx.Client) -> None:
    """Have answers to one question marked: the article's own gradient, and what students hand in."""
    layer = {"weights": WEIGHTS, "activation": "softmax"}
    problem = {"network": {"layers": [layer]}, "inputs": [INPUTS], "targets": [TARGET], "loss": "cross_entropy"}
    reply = post(client, "/v1/jacobians", problem | {"jacobians": ["dL_dW"]})["jacobians"]
    assert isinstance(reply, dict)
    gradient = np.array(reply["dL_dW"]["value"])
    students = {
        "rounded to four decimals": np.round(gradient, 4),
        "as the article prints it": gradient.ravel(order="F").reshape(gradient.shape),
        "descent for ascent, twice": -2.0 * gradient,
        "one slip in one entry": gradient + 0.1 * (np.arange(gradient.size).reshape(gradient.shape) == 7),
    }
    print("2. Marking dL_dW of that layer, through POST /v1/grades\n")
    for student, answer in students.items():
        grade = post(client, "/v1/grades", {"problem": problem, "answers": {"dL_dW": str(np.round(answer, 4))}})
        [part] = cast("list[dict[str, Any]]", grade["parts"])
        print(f"   {student}: {part['verdict']}")
        for diagnosis in part["diagnoses"]:
            print(f"     {' + '.join(diagnosis['mistakes'])}: {diagnosis['message']}")
    print()


def make_moons(generator: np.random.Generator) -> tuple[Floats, Labels]:
    """Draw two interleaving half circles with Gaussian noise, by the data set's published definition.

    Parameters
    ----------
    generator : Generator

    Returns
    -------
    points : ndarray, shape (SAMPLES, 2)
    labels : ndarray, shape (SAMPLES,)
        0 for the upper moon, 1 for the lower.
    """
    angles = np.linspace(0.0, np.pi, SAMPLES // 2)
    upper = np.column_stack([np.cos(angles), np.sin(angles)])
    lower = np.column_stack([1.0 - np.cos(angles), 0.5 - np.sin(angles)])
    points = np.vstack([upper, lower]) + generator.normal(scale=NOISE, size=(2 * len(angles), 2))
    return points, np.repeat(np.array([0, 1]), len(angles))


def draw_network(generator: np.random.Generator) -> dict[str, object]:
    """Draw a 2-16-2 network: tanh, then softmax."""
    hidden = {"weights": generator.normal(size=(2, 16)).tolist(), "bias": [0.0] * 16, "activation": "tanh"}
    output = {
        "weights": generator.normal(scale=0.25, size=(16, 2)).tolist(),
        "bias": [0.0] * 2,
        "activation": "softmax",
    }
    return {"layers": [hidden, output]}


def measure_accuracy(client: httpx.Client, network: object, points: Floats, labels: Labels) -> float:
    """Return the part of the points that the network puts into their moon."""
    outputs = post(client, "/v1/forward", {"network": network, "inputs": points.tolist()})["outputs"]
    return float((np.asarray(outputs).argmax(axis=1) == labels).mean())


def learn_moons(client: httpx.Client) -> bool:
    """Learn make-moons through the service.

    Returns
    -------
    bool
        Whether enough held-out points are right.
    """
    generator = np.random.default_rng(0)
    points, labels = make_moons(generator)
    held_out = make_moons(generator)
    network: object = draw_network(generator)
    before = measure_accuracy(client, network, *held_out)
    losses: list[float] = []
    print(f"3. Learning make-moons, {SAMPLES} points with noise {NOISE}, by {STEPS} steps through POST /v1/steps\n")
    for _ in tqdm(range(STEPS // CHUNK), unit=f" × {CHUNK} steps", ncols=90):
        problem = {"network": network, "inputs": points.tolist(), "targets": labels.tolist(), "loss": "cross_entropy"}
        reply = post(client, "/v1/steps", problem | {"learning_rate": LEARNING_RATE, "count": CHUNK})
        network, chunk = reply["network"], reply["losses"]
        assert isinstance(chunk, list)
        losses += chunk if not losses else chunk[1:]
    accuracy = measure_accuracy(client, network, *held_out)
    print("\n    step   loss")
    for step in [0, 10, 30, 100, 300, 700, STEPS]:
        print(f"    {step:4d}   {losses[step]:.4f}  {'█' * round(60 * losses[step] / losses[0])}")
    print(f"\n   Held-out points in the right moon: {before:.1%} before, {accuracy:.1%} after")
    return accuracy >= NEEDED_ACCURACY


def main() -> int:
    """Run the demonstration.

    Returns
    -------
    int
        0 if the network learnt its data set, else 1.
    """
    with run_service() as client:
        explain_article(client)
        mark_students(client)
        return 0 if learn_moons(client) else 1


if __name__ == "__main__":
    sys.exit(main())
