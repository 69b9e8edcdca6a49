"""Replies that are held until clients have taken them: how much all of them together may be."""

from contextlib import ExitStack

import httpx
import pytest

from app.examples import ARTICLE, ARTICLE_PROBLEM
from app.main import create_app
from app.settings import Settings
from tests.app.placing import DEEP_ONE, MANY_IDS
from tests.app.server import assert_is_busy, dump, post, run_server
from tests.app.sockets import ask_for_much, connect, read_metric, wait_for_metric

HELD = 'gradmark_held_bytes{what="replies"}'
MOST = 1000


def test_replies_that_clients_do_not_take_are_held_up_to_the_limit_and_small_ones_still_sent() -> None:
    # each has 9 MB, which nobody knows before: the body is too large to be read by the process that serves
    with run_server(max_held_reply_bytes=15_000_000) as server, ExitStack() as stack:
        first, *others = (stack.enter_context(connect(server)) for _ in range(3))
        ask_for_much(first)
        held = read_metric(server, HELD)
        for connection in others:
            ask_for_much(connection, status=503)
        assert read_metric(server, HELD) < held + 10_000
        assert post(server, "/v1/softmax-layer", dump(ARTICLE)).status_code == 200
        first.close()
        wait_for_metric(server, HELD, 0)


@pytest.mark.anyio
@pytest.mark.parametrize("inline_bytes", [0, 10_000], ids=["in-a-thread", "on-the-loop"])
async def test_a_large_reply_is_not_begun_where_others_hold_too_much(inline_bytes: int) -> None:
    app = create_app(
        Settings.model_construct(max_held_reply_bytes=MOST, inline_bytes=inline_bytes, inline_operations=1)
    )
    # 100 x 100 numbers of about twenty letters
    layer = {"weights": [[0.1] * 100], "activation": "softmax"}
    body = {"network": {"layers": [layer]}, "inputs": [[1]], "jacobians": ["dS_dZ"]}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        with app.state.placement.held_reply_bytes.share() as others:
            others.become(1)
            assert_is_busy(await client.post("/v1/jacobians", json=body), "busy_replies", f"{MOST} bytes")
        assert (await client.post("/v1/jacobians", json=body)).status_code == 200
        assert app.state.placement.held_reply_bytes.total == 0


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/grades", {"problem": ARTICLE_PROBLEM, "answers": {"dS_dW": "1"}, "feedback": "full"}),
        ("/v1/jacobians", DEEP_ONE | {"jacobians": MANY_IDS}),
    ],
)
async def test_a_reply_that_nobody_could_expect_is_not_held_where_others_hold_too_much(path: str, body: object) -> None:
    app = create_app(Settings.model_construct(max_held_reply_bytes=MOST, inline_bytes=MOST))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        held = app.state.placement.held_reply_bytes
        with held.share() as others:
            others.become(1)
            assert_is_busy(await client.post(path, json=body), "busy_replies", f"{MOST} bytes")
            assert held.total == 1
        alone = await client.post(path, json=body)
        assert (alone.status_code, len(alone.content) > MOST, held.total) == (200, True, 0)
