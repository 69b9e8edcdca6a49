"""Small requests for too much: refused at once where they are over the budget, answered in little memory where not."""

import statistics
import sys
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle, islice
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from app.errors import MEDIA_TYPE
from tests.support.bombs import BOMBS, HARMLESS, LARGEST_BODY, REFUSED, TALKATIVE, Bomb
from tests.support.dispatching import children_of
from tests.support.server import Server, run_server

MEGABYTE = 2**20

REFUSED_IN = 16 * MEGABYTE
"""What reading a body and saying what is wrong with it may hold."""

ANSWERED_IN = 64 * MEGABYTE
"""What an answer may: every array within the budget of 4,000,000 numbers, 32 MB, and no more than a few of them."""


@contextmanager
def at_most(limit: int) -> Iterator[None]:
    """Check that what is done meanwhile holds so many bytes at most."""
    tracemalloc.start()
    try:
        yield
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < limit


async def send(client: httpx.AsyncClient, bomb: Bomb) -> httpx.Response:
    return await client.post(bomb.path, content=bomb.body, headers={"Content-Type": bomb.media_type})


@pytest.mark.anyio
@pytest.mark.parametrize("bomb", REFUSED, ids=lambda bomb: bomb.name)
async def test_what_is_over_the_budget_is_refused_before_it_is_allocated(client: httpx.AsyncClient, bomb: Bomb) -> None:
    with at_most(REFUSED_IN):
        reply = await send(client, bomb)
    assert reply.status_code == bomb.status, reply.text[:500]
    assert reply.headers["content-type"] == MEDIA_TYPE
    assert len(reply.content) < 5_000


@pytest.mark.anyio
@pytest.mark.parametrize("bomb", HARMLESS, ids=lambda bomb: bomb.name)
async def test_what_only_looks_like_too_much_is_answered_in_little_memory(
    client: httpx.AsyncClient, bomb: Bomb
) -> None:
    with at_most(ANSWERED_IN):
        reply = await send(client, bomb)
    assert reply.status_code == bomb.status, reply.text[:500]


@pytest.mark.parametrize("bomb", BOMBS, ids=lambda bomb: bomb.name)
def test_a_bomb_is_small(bomb: Bomb) -> None:
    assert len(bomb.body) <= LARGEST_BODY


def test_there_is_a_bomb_for_every_body_that_is_read(app: FastAPI) -> None:
    taking = [route for route in app.routes if isinstance(route, APIRoute) and "POST" in (route.methods or ())]
    paths = {bomb.path for bomb in BOMBS}
    assert [route.path for route in taking if not any(map(route.path_regex.match, paths))] == []


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="there is no /proc to read a process's memory from")
@pytest.mark.parametrize("bomb", TALKATIVE, ids=lambda bomb: bomb.name)
def test_a_reply_that_is_longer_than_memory_is_sent_piece_by_piece(bomb: Bomb) -> None:
    with run_server(processes=0) as server:
        before = server.memory("VmHWM")
        assert take_all(server, bomb) > 4 * ANSWERED_IN
        assert server.memory("VmHWM") - before < 2 * ANSWERED_IN


def take_all(server: Server, bomb: Bomb) -> int:
    """Send a bomb, and count what comes back without keeping it."""
    headers = {"Content-Type": bomb.media_type}
    with server.client.stream("POST", bomb.path, content=bomb.body, headers=headers) as reply:
        assert reply.status_code == bomb.status, bomb.name
        return sum(len(piece) for piece in reply.iter_raw())


COUNT = 1_000
SECONDS = 60
LIMIT = 512 * MEGABYTE


def processes_of(server: Server) -> list[int]:
    """Return the server's process and those that it started."""
    return [server.process.pid, *children_of(server.process.pid)]


def high_water(pid: int) -> int:
    """Return the most bytes that a process ever held."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise LookupError(pid)


@pytest.mark.slow
def test_a_thousand_bombs_harm_nobody() -> None:
    seconds = []
    with run_server() as server:
        before = processes_of(server)
        started = time.monotonic()
        for bomb in islice(cycle(REFUSED), COUNT):
            sent = time.perf_counter()
            reply = server.client.post(bomb.path, content=bomb.body, headers={"Content-Type": bomb.media_type})
            seconds.append(time.perf_counter() - sent)
            assert reply.status_code == bomb.status, bomb.name
        took = time.monotonic() - started
        for bomb in HARMLESS:
            reply = server.client.post(bomb.path, content=bomb.body, headers={"Content-Type": bomb.media_type})
            assert reply.status_code == bomb.status, bomb.name
        for bomb in TALKATIVE:
            take_all(server, bomb)
        assert server.client.get("/health/ready").status_code == 200
        assert processes_of(server) == before
        held = [high_water(pid) for pid in before]
    percentiles = statistics.quantiles(seconds, n=100)
    sys.stdout.write(
        f"\n{COUNT} bombs in {took:.1f} s: p50 {1e3 * percentiles[49]:.1f} ms, p99 {1e3 * percentiles[98]:.1f} ms, "
        f"max {1e3 * max(seconds):.1f} ms; at most {' + '.join(f'{size // MEGABYTE} MiB' for size in held)} held\n"
    )
    assert took < SECONDS
    assert sum(held) < LIMIT
