"""What large requests do to small ones: the 99th percentile of the article's example, alone and beside neighbours.

One client sends the example back to back over one connection; another process sends large requests back to back over
another. Quiet and busy phases alternate, and each busy one is set beside the quiet one before it.
"""

import multiprocessing
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.synchronize import Event

import numpy as np

from app.examples import ARTICLE
from benchmarks.harness import Goal, Row, set_beside
from benchmarks.problems import describe, draw_problem, write_json
from benchmarks.servers import Connection, serve_ours, write_request

ROUNDS = 5
REQUESTS = 1000
FEWEST_REQUESTS = 100
PHASE_SECONDS = 6.0
WARM_UP = 200
HUNDREDTH = 0.99

PRODUCT_SECONDS = 0.1
BODY_WIDTH = 1000

GOAL = Goal(8.0)
BESIDE_BODIES, BESIDE_PRODUCTS = "beside a stream of 20 MB JSON bodies", "beside products of 100 ms"

CONTEXT = multiprocessing.get_context("spawn")


def write_large_body() -> bytes:
    """Write a request of 20 MB of JSON whose work is one forward pass of one sample."""
    return write_request("/v1/forward", write_json(describe(draw_problem(1, (BODY_WIDTH, BODY_WIDTH)))))


def write_products(count: int) -> bytes:
    """Write a request of many large products and few bytes: steps of descent over one batch."""
    problem = describe(draw_problem(1000, (400, 200), decimals=1))
    return write_request("/v1/steps", write_json(problem | {"learning_rate": 0.01, "count": count}))


def count_steps(connection: Connection) -> int:
    """Find how many steps take the time of the product."""
    seconds = []
    for count in (5, 25):
        request = write_products(count)
        connection.exchange(request)
        start = time.perf_counter()
        connection.exchange(request)
        seconds.append(time.perf_counter() - start)
    return max(1, round(PRODUCT_SECONDS * 20 / (seconds[1] - seconds[0])))


def send_until(port: int, request: bytes, stop: Event, sent: Event) -> None:
    """Send a request again and again, in a process of its own."""
    connection = Connection(port)
    while not stop.is_set():
        connection.exchange(request)
        sent.set()
    connection.close()


@contextmanager
def neighbour(port: int, request: bytes) -> Iterator[None]:
    """Keep a neighbour busy."""
    stop, sent = CONTEXT.Event(), CONTEXT.Event()
    process = CONTEXT.Process(target=send_until, args=(port, request, stop, sent), daemon=True)
    process.start()
    try:
        if not sent.wait(30):
            raise TimeoutError("the neighbour's request was not answered")
        yield
    finally:
        stop.set()
        process.join(30)
        process.terminate()


def percentile(connection: Connection, request: bytes) -> float:
    """Send small requests, bounded in number and time, and return the 99th percentile of their seconds."""
    seconds: list[float] = []
    end = time.perf_counter() + PHASE_SECONDS
    while len(seconds) < FEWEST_REQUESTS or (len(seconds) < REQUESTS and time.perf_counter() < end):
        start = time.perf_counter()
        connection.exchange(request)
        seconds.append(time.perf_counter() - start)
    return float(np.quantile(seconds, HUNDREDTH))


def rows() -> Iterator[Row]:
    """Measure beside bodies and beside products."""
    small = write_request("/v1/softmax-layer", write_json(ARTICLE))
    with serve_ours() as port:
        connection = Connection(port)
        for _ in range(WARM_UP):
            connection.exchange(small)
        neighbours = {BESIDE_BODIES: write_large_body(), BESIDE_PRODUCTS: write_products(count_steps(connection))}
        for what, request in neighbours.items():
            quiet, busy = [], []
            for _ in range(ROUNDS):
                quiet.append(percentile(connection, small))
                with neighbour(port, request):
                    busy.append(percentile(connection, small))
            title = f"p99 of the article's example {what}"
            yield set_beside(title, "its p99 alone", busy, quiet, GOAL)
        connection.close()
