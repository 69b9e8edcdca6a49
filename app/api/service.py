"""How the service is, from the application's state."""

from contextlib import ExitStack
from typing import Literal

from fastapi import Request
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4

from app.access.admission import Caller
from app.api.route import Endpoints
from app.errors import write_problem
from app.schemas.compute_replies import HealthReply
from app.watch.metrics import Metrics
from app.wire.writing import encode
from app.work.computation import JSON_TYPE, Reply, answer_problem
from app.work.dispatch import Dispatcher

State = Literal["warming up", "ready", "draining", "replacing its worker process"]


async def read_ready(request: Request, _caller: Caller, _until_sent: ExitStack) -> Reply:
    """Say whether requests should be sent here; 503 while warming up or draining."""
    state: State = request.app.state.readiness
    dispatcher: Dispatcher = request.app.state.dispatcher
    if state == "ready" and not dispatcher.pool.is_working:
        state = "replacing its worker process"
    if state == "ready":
        return Reply(content=encode(HealthReply(status="ready")), media_type=JSON_TYPE)
    return answer_problem(write_problem(503, [], detail=f"the service is {state}"), headers={"Retry-After": "1"})


async def read_metrics(request: Request, _caller: Caller, _until_sent: ExitStack) -> Reply:
    """Say how many requests, refusals and marks there were, and how much there is to do: Prometheus text."""
    metrics: Metrics = request.app.state.metrics
    return Reply(content=metrics.write(), media_type=CONTENT_TYPE_PLAIN_0_0_4)


ENDPOINTS: Endpoints = {read_ready: {}, read_metrics: {"response_class": PlainTextResponse}}
