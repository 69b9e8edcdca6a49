"""Exercises and audits over HTTP: what is drawn can be computed with, marked, and told to be good."""

import asyncio
import threading
from dataclasses import fields
from typing import Any

import httpx
import numpy as np
import pytest

from app.examples import AUDITS
from app.main import create_app
from app.settings import Settings
from core.conventions import Conventions
from core.exercises import KINDS, LATEST_VERSION
from core.mistakes import MISTAKES
from tests.support.dispatching import started

pytestmark = pytest.mark.anyio

Json = dict[str, Any]

SEEDS = [0, 7, 2**31 - 1]


async def draw(client: httpx.AsyncClient, kind: str, **query: int) -> Json:
    reply = await client.get(f"/v1/exercises/{kind}", params=query)
    assert reply.status_code == 200, reply.text
    exercise: Json = reply.json()
    return exercise


async def solve(client: httpx.AsyncClient, exercise: Json) -> Json:
    """Compute what an exercise asks, by the service's own endpoints, and round it to its decimals."""
    problem, asks = exercise["problem"], exercise["asks"]
    forward = (await client.post("/v1/forward", json=problem)).json()
    values: Json = {"Z": forward["layers"][-1]["pre_activations"], "S": forward["outputs"], "L": forward["loss"]}
    derivatives = [name for name in asks if name.startswith("d")]
    if derivatives:
        reply = (await client.post("/v1/jacobians", json=problem | {"jacobians": derivatives})).json()
        values |= {name: entry["value"] for name, entry in reply["jacobians"].items()}
    return {name: np.round(values[name], exercise["decimals"]).tolist() for name in asks}


async def test_every_kind_is_listed(client: httpx.AsyncClient) -> None:
    document = (await client.get("/v1/exercises")).json()
    assert document["version"] == LATEST_VERSION
    assert [kind["name"] for kind in document["kinds"]] == list(KINDS)
    assert len(document["kinds"]) >= 6
    for listed in document["kinds"]:
        exercise = await draw(client, listed["name"], seed=1)
        assert {key: exercise[key] for key in ["asks", "decimals"]} == {
            key: listed[key] for key in ["asks", "decimals"]
        }


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", KINDS)
async def test_an_exercise_says_what_it_is_and_is_always_the_same(
    client: httpx.AsyncClient, kind: str, seed: int
) -> None:
    exercise = await draw(client, kind, seed=seed)
    assert set(exercise) == {"kind", "seed", "version", "prompt", "problem", "asks", "decimals"}
    assert (exercise["kind"], exercise["seed"], exercise["version"]) == (kind, seed, LATEST_VERSION)
    assert await draw(client, kind, seed=seed, version=LATEST_VERSION) == exercise
    assert await draw(client, kind, seed=seed + 1 if seed < max(SEEDS) else 1) != exercise
    # complete, so that another release's defaults change nothing
    assert set(exercise["problem"]["conventions"]) == {field.name for field in fields(Conventions)}


@pytest.mark.parametrize("kind", KINDS)
async def test_a_prompt_holds_every_number_and_every_task(client: httpx.AsyncClient, kind: str) -> None:
    exercise = await draw(client, kind, seed=5)
    prompt, problem = exercise["prompt"], exercise["problem"]
    for layer in problem["network"]["layers"]:
        assert str(layer["weights"]) in prompt
        assert str(layer["bias"]) in prompt
    assert str(problem["inputs"]) in prompt
    assert all(name in prompt for name in exercise["asks"])
    assert f"to {exercise['decimals']} decimals" in prompt
    # what nobody needs for what is asked is left out
    needs_loss = any("L" in name for name in exercise["asks"])
    assert (str(problem["targets"]) in prompt) == needs_loss
    assert (f"the {problem['conventions']['reduction']} over the samples" in prompt) == needs_loss
    if problem["conventions"]["l2"]["strength"]:
        assert str(problem["conventions"]["l2"]["strength"]) in prompt


@pytest.mark.parametrize("kind", KINDS)
async def test_an_exercises_problem_is_a_request_as_it_stands(client: httpx.AsyncClient, kind: str) -> None:
    problem = (await draw(client, kind, seed=11))["problem"]
    assert (await client.post("/v1/forward", json=problem)).status_code == 200
    reply = await client.post("/v1/gradients", json=problem | {"check": True})
    assert reply.status_code == 200
    assert reply.json()["check"]["max_rel_error"] < 1e-10
    assert reply.json()["conventions"] == problem["conventions"]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", KINDS)
async def test_an_exercises_truth_rounded_to_its_decimals_is_correct(
    client: httpx.AsyncClient, kind: str, seed: int
) -> None:
    exercise = await draw(client, kind, seed=seed)
    answers = await solve(client, exercise)
    by_reference = {"exercise": {"kind": kind, "seed": seed, "version": LATEST_VERSION}, "answers": answers}
    by_problem = {"problem": exercise["problem"], "asks": exercise["asks"], "answers": answers}
    for body in (by_reference, by_problem):
        grade = (await client.post("/v1/grades", json=body)).json()
        assert (grade["verdict"], grade["score"]) == ("correct", 1.0)
        assert [part["quantity"] for part in grade["parts"]] == exercise["asks"]
    wrong = {name: (np.array(value) * -1).tolist() for name, value in answers.items()}
    grade = (await client.post("/v1/grades", json=by_reference | {"answers": wrong, "follow_through": False})).json()
    assert (grade["verdict"], grade["score"]) == ("incorrect", 0.0)


async def test_exercises_do_not_wait_for_long_work_and_are_the_same_wherever_they_are_drawn() -> None:
    app = create_app(Settings.model_construct())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        path = "/v1/exercises/softmax_forward"
        token = (await client.post(f"{path}/tokens", json={"seed": 7, "feedback": "hint", "expires_in": 60})).json()
        asked = [{"seed": 7}, {"token": token["token"]}, {"seed": 7, "version": LATEST_VERSION + 1}]
        headers = {"X-Request-ID": "abc"}
        in_thread = [await client.get(path, params=query, headers=headers) for query in asked]
        left = threading.Event()
        with started(max_waiting=0) as app.state.dispatcher:
            long_work = asyncio.create_task(app.state.dispatcher.threads.run(None, left.wait, 10))
            await asyncio.sleep(0)
            in_process = [await client.get(path, params=query, headers=headers) for query in asked]
            left.set()
            await long_work
    assert [reply.status_code for reply in in_process] == [200, 200, 422]
    for one, other in zip(in_thread, in_process, strict=True):
        assert (one.content, one.headers) == (other.content, other.headers)


REFUSED = [
    ("", "/seed", "missing"),
    ("version=1", "/seed", "missing"),
    ("seed=", "/seed", "type"),
    ("seed=1.5", "/seed", "type"),
    ("seed=1e3", "/seed", "type"),
    ("seed=seven", "/seed", "type"),
    ("seed=0x7", "/seed", "type"),
    ("seed=1_0", "/seed", "type"),
    ("seed=%2B1", "/seed", "type"),
    ("seed=1.0", "/seed", "type"),
    ("seed=%201", "/seed", "type"),
    ("seed=%D9%A3", "/seed", "type"),
    ("seed=%00", "/seed", "type"),
    ("seed=-1", "/seed", "range"),
    ("seed=2147483648", "/seed", "range"),
    ("seed=" + "9" * 5000, "/seed", "range"),
    ("seed=1&version=0", "/version", "range"),
    ("seed=1&version=9223372036854775808", "/version", "range"),
    ("seed=1&version=1.5", "/version", "type"),
    ("seed=1&version=", "/version", "type"),
    (f"seed=1&version={LATEST_VERSION + 1}", "/version", "domain"),
    ("seed=1&Seed=2", "/Seed", "unknown_key"),
    ("seed=7&seed=8", "/seed", "duplicate_key"),
    ("seed=7&version=1&seed=7", "/seed", "duplicate_key"),
    ("seed=1&token=x", "/seed", "domain"),
    ("version=1&token=x", "/version", "domain"),
]


@pytest.mark.parametrize(("query", "pointer", "code"), REFUSED, ids=[query[:20] for query, _, _ in REFUSED])
async def test_a_wrong_query_is_refused_by_the_parameters_name(
    client: httpx.AsyncClient, query: str, pointer: str, code: str
) -> None:
    reply = await client.get(f"/v1/exercises/softmax_forward?{query}")
    assert reply.status_code == 422
    [error] = reply.json()["errors"]
    assert (error["pointer"], error["code"]) == (pointer, code)
    assert len(reply.content) < 1000


async def test_an_unknown_kind_is_refused_with_the_choices(client: httpx.AsyncClient) -> None:
    reply = await client.get("/v1/exercises/canary7f3a?seed=1")
    assert reply.status_code == 422
    [error] = reply.json()["errors"]
    assert error["pointer"] == "/kind"
    assert all(f'"{kind}"' in error["message"] for kind in KINDS)
    assert "canary7f3a" not in reply.text


async def audit(client: httpx.AsyncClient, **changes: object) -> Json:
    reply = await client.post("/v1/exercises/audit", json=AUDITS["hidden"]["value"] | changes)
    assert reply.status_code == 200, reply.text
    document: Json = reply.json()
    return document


async def test_an_audit_says_what_is_hidden_and_what_would_show_it(client: httpx.AsyncClient) -> None:
    document = await audit(client)
    hidden = {entry["mistake"]: entry for entry in document["hidden"]}
    # one sample, inputs all 1, biases all 0
    assert "samples" in hidden["summed_over_batch"]["advice"]
    assert "inputs" in hidden["inputs_missing"]["advice"]
    assert "biases" in hidden["bias_ignored"]["advice"]
    assert "sign_flipped" not in hidden
    codes = {advice["code"]: advice for advice in document["advice"]}
    assert {"samples", "inputs"} <= set(codes)
    assert "summed_over_batch" in codes["samples"]["shows"]
    assert all(advice["message"] for advice in codes.values())


async def test_an_audits_ids_are_those_of_the_catalogue(client: httpx.AsyncClient) -> None:
    document = await audit(client, **AUDITS["two_layers"]["value"])
    assert set(document["modelled"]) <= set(MISTAKES)
    assert {entry["mistake"] for entry in document["hidden"]} <= set(document["modelled"])
    for group in document["confused"]:
        assert len(group["mistakes"]) >= 2
        assert set(group["mistakes"]) <= set(document["modelled"])
        assert not (group["always"] and group["advice"])


@pytest.mark.parametrize("kind", KINDS)
async def test_nothing_is_hidden_in_an_exercise_but_what_takes_more_samples(
    client: httpx.AsyncClient, kind: str
) -> None:
    exercise = await draw(client, kind, seed=2)
    document = await audit(client, **{key: exercise[key] for key in ["problem", "asks", "decimals"]})
    hidden = [entry for entry in document["hidden"] if not entry["always"]]
    assert all(entry["advice"] == ["samples"] for entry in hidden)
    assert not hidden or len(exercise["problem"]["inputs"]) == 1
