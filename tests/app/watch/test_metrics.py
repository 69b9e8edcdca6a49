"""What Prometheus is told adds up, follows its conventions, and makes no more series than there are names for."""

import asyncio
import json
import re
import threading
from collections import Counter
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from prometheus_client.parser import text_string_to_metric_families

from app.examples import ARTICLE, ARTICLE_PROBLEM
from app.main import create_app
from app.settings import Settings
from app.work.dispatch import Dispatcher
from core.mistakes import MISTAKES
from tests.support.dispatching import started

pytestmark = pytest.mark.anyio

JSON = {"Content-Type": "application/json"}
LINES = {"Content-Type": "application/jsonl"}
GRADIENT = [[1 / 3] * 5] * 3
RIGHT = {"problem": ARTICLE_PROBLEM, "answers": {"Z": [[0.354, 0.418, 0.482, 0.546, 0.16]]}}
WRONG = {"problem": ARTICLE_PROBLEM, "answers": {"Z": [[0.354, 0.418, 0.482, 0.546, 0.16]], "L": "?"}}

Series = tuple[str, frozenset[tuple[str, str]]]


@pytest.fixture
def app() -> FastAPI:
    """A service that has not counted anything yet."""
    return create_app(Settings.model_construct())


async def read(client: httpx.AsyncClient) -> dict[Series, float]:
    """Return every series of the service's own."""
    # as whoever is somewhere else: not in the same round of the loop
    await asyncio.sleep(0)
    reply = await client.get("/metrics")
    assert reply.status_code == 200
    assert reply.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return {
        (sample.name.removeprefix("gradmark_"), frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(reply.text)
        for sample in family.samples
        if sample.name.startswith("gradmark_")
    }


async def values(client: httpx.AsyncClient, name: str, label: str) -> dict[str, float]:
    """Return one metric's series by one label."""
    found: dict[str, float] = {}
    for (series, labels), value in (await read(client)).items():
        if series == name:
            found[dict(labels)[label]] = found.get(dict(labels)[label], 0) + value
    return found


async def test_requests_durations_and_refusals_add_up(client: httpx.AsyncClient) -> None:
    for body, times in ((ARTICLE, 3), ({}, 2)):
        for _ in range(times):
            await client.post("/v1/softmax-layer", json=body)
    await client.post("/v1/softmax-layer", content=b"{", headers=JSON)
    await client.get("/nothing")
    await client.get("/version")
    found = await read(client)
    post = {("route", "/v1/softmax-layer"), ("method", "POST")}
    assert found["requests_total", frozenset(post | {("status", "200")})] == 3
    assert found["requests_total", frozenset(post | {("status", "422")})] == 2
    assert found["requests_total", frozenset(post | {("status", "400")})] == 1
    assert found["request_duration_seconds_count", frozenset({("route", "/v1/softmax-layer")})] == 6
    assert found["request_duration_seconds_bucket", frozenset({("route", "/v1/softmax-layer"), ("le", "+Inf")})] == 6
    assert await values(client, "refusals_total", "reason") == {"missing": 2, "json": 1, "not_found": 1}
    # those before this one
    routes = await values(client, "requests_total", "route")
    assert routes == {"/v1/softmax-layer": 6, "unmatched": 1, "/version": 1, "/metrics": 2}


async def test_requests_in_flight_are_those_that_have_not_ended(client: httpx.AsyncClient, app: FastAPI) -> None:
    all_in, gate = asyncio.Barrier(4), asyncio.Event()

    @app.get("/slow")
    async def wait() -> None:
        await all_in.wait()
        await gate.wait()

    waiting = [asyncio.create_task(client.get("/slow")) for _ in range(3)]
    await all_in.wait()
    # and the one that asks
    assert (await read(client))["requests_in_flight", frozenset()] == 4
    gate.set()
    await asyncio.gather(*waiting)
    assert (await read(client))["requests_in_flight", frozenset()] == 1


async def test_marks_are_counted_by_verdict_and_mistake(client: httpx.AsyncClient) -> None:
    await client.post("/v1/grades", json=RIGHT)
    grade = (await client.post("/v1/grades", json=WRONG)).json()
    assert await values(client, "grades_total", "verdict") == {"correct": 1, grade["verdict"]: 1}
    assert await values(client, "verdicts_total", "verdict") == {"correct": 2, "unreadable": 1}


async def find_mistaken(client: httpx.AsyncClient) -> tuple[dict[str, Any], list[str]]:
    """Return a submission with the sign of a gradient wrong, and the mistakes that its feedback names."""
    gradients = (await client.post("/v1/gradients", json=ARTICLE_PROBLEM)).json()
    wrong = [[-number for number in row] for row in gradients["layers"][0]["grad_weights"]]
    body = {"problem": ARTICLE_PROBLEM, "answers": {"dL_dW": wrong}}
    [part] = (await client.post("/v1/grades", json=body)).json()["parts"]
    named = [mistake for diagnosis in part["diagnoses"] for mistake in diagnosis["mistakes"]]
    assert named
    return body, named


@pytest.mark.parametrize("where", ["at once", "in bulk", "in a process"])
async def test_mistakes_are_counted_wherever_the_marking_is_done(
    client: httpx.AsyncClient, app: FastAPI, where: str
) -> None:
    body, named = await find_mistaken(client)
    content = json.dumps(body) + "\n"
    before = await values(client, "mistakes_total", "mistake")
    assert before == dict(Counter(named))
    with started(processes=int(where == "in a process")) as app.state.dispatcher:
        for _ in range(2):
            path, headers = ("/v1/grades/bulk", LINES) if where == "in bulk" else ("/v1/grades", JSON)
            assert (await client.post(path, content=content, headers=headers)).status_code == 200
    after = await values(client, "mistakes_total", "mistake")
    assert after == {mistake: 3 * times for mistake, times in before.items()}
    assert await values(client, "verdicts_total", "verdict") == {"incorrect": 3}
    assert await values(client, "grades_total", "verdict") == {"incorrect": 3}
    assert set(after) <= set(MISTAKES)


async def test_lines_of_bulk_requests_are_counted_by_what_became_of_them(client: httpx.AsyncClient) -> None:
    content = (json.dumps(RIGHT) + "\n") * 3 + "wrong\n"
    assert (await client.post("/v1/grades/bulk", content=content, headers=LINES)).status_code == 200
    assert await values(client, "bulk_lines_total", "outcome") == {"graded": 3, "problem": 1}
    assert await values(client, "grades_total", "verdict") == {"correct": 3}
    assert await values(client, "refusals_total", "reason") == {}


async def test_feedback_that_names_no_mistake_counts_none(client: httpx.AsyncClient) -> None:
    body, named = await find_mistaken(client)
    await client.post("/v1/grades", json=body | {"feedback": "hint"})
    assert await values(client, "mistakes_total", "mistake") == dict(Counter(named))
    assert await values(client, "verdicts_total", "verdict") == {"incorrect": 2}


async def test_what_clients_make_up_makes_no_series(client: httpx.AsyncClient) -> None:
    async def send(name: str) -> None:
        await client.get(f"/{name}")
        await client.request(name, "/version")
        await client.get(f"/v1/exercises/{name}?{name}={name}")
        await client.get("/version", headers={"X-Request-ID": name, "traceparent": name, name: name})
        content = json.dumps({"problem": ARTICLE_PROBLEM, "answers": {name: 1}, name: name}) + "\n"
        await client.post("/v1/grades", content=content, headers=JSON)
        await client.post("/v1/grades/bulk", content=content, headers=LINES)

    await send("first")
    await read(client)
    before = set(await read(client))
    for number in range(20):
        await send(f"name{number}")
    assert set(await read(client)) == before
    assert not [series for series in before if "first" in str(series)]


async def test_places_are_looked_at_when_somebody_asks(client: httpx.AsyncClient, app: FastAPI) -> None:
    dispatcher: Dispatcher = app.state.dispatcher
    assert await values(client, "waiting", "place") == dict.fromkeys(["loop", "threads", "processes", "bulk"], 0)
    assert await values(client, "running", "place") == dict.fromkeys(["threads", "processes", "bulk"], 0)
    left = threading.Event()
    jobs = [asyncio.create_task(dispatcher.threads.run(None, left.wait, 10)) for _ in range(3)]
    await asyncio.sleep(0)
    with dispatcher.memory.open("ada") as reservation:
        reservation.grow(17)
        assert await values(client, "held_bytes", "what") == {"memory": 17, "files": 0}
        assert (await values(client, "running", "place"))["threads"] == 1
        assert (await values(client, "waiting", "place"))["threads"] == 2
    left.set()
    await asyncio.gather(*jobs)
    assert (await values(client, "running", "place"))["threads"] == 0


async def test_who_asks_in_the_same_round_of_the_loop_shares_a_text_and_who_asks_afterwards_has_another(
    client: httpx.AsyncClient,
) -> None:
    replies = await asyncio.gather(*(client.get("/metrics") for _ in range(5)))
    assert len({reply.text for reply in replies}) == 1
    assert await values(client, "requests_total", "route") == {"/metrics": 5}


async def test_names_follow_the_conventions_of_prometheus(client: httpx.AsyncClient) -> None:
    """What `promtool check metrics` looks for."""
    await client.post("/v1/grades", json=WRONG)
    families = list(text_string_to_metric_families((await client.get("/metrics")).text))
    names = [family.name for family in families]
    assert len(set(names)) == len(names)
    for family in families:
        assert re.fullmatch(r"(gradmark|process|python)_[a-z][a-z_]*", family.name)
        assert family.documentation
        # a counter's family is named without the suffix that all its samples have
        assert (family.type == "counter") == any(sample.name.endswith("_total") for sample in family.samples) or (
            not family.samples
        )
        assert not re.search(
            r"_(milli|micro|kilo|mega)|_(ms|minutes|kb)$|_total_|_(counter|gauge|histogram)", family.name
        )
        assert family.type != "histogram" or family.name.endswith("_seconds")
        for sample in family.samples:
            assert all(re.fullmatch("[a-z]+", label) for label in sample.labels)
    assert {"process_resident_memory_bytes", "python_gc_collections", "gradmark_requests"} <= set(names)
