"""How the service is: alive, ready, which version, and what it does."""

import platform
from typing import Literal

import numpy as np
from fastapi import Request, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4

from app import __version__
from app.access import Access
from app.api.error_handlers import problem_response
from app.api.route import Endpoints, json_response
from app.errors import write_problem
from app.schemas.compute_replies import HealthReply, VersionReply
from app.watch.metrics import Metrics
from app.wire import encode

State = Literal["warming up", "ready", "draining"]


async def read_live() -> Response:
    """Say that the process answers at all; a failure means: restart it."""
    return json_response(encode(HealthReply(status="live")))


async def read_ready(request: Request) -> Response:
    """Say whether requests should be sent here; 503 while warming up or draining."""
    state: State = request.app.state.readiness
    if state == "ready":
        return json_response(encode(HealthReply(status="ready")))
    return problem_response(write_problem(503, [], detail=f"the service is {state}"), headers={"Retry-After": "1"})


async def read_version(request: Request) -> Response:
    """Say what is running, and whether a key is needed."""
    access: Access = request.app.state.access
    version = VersionReply(
        name="gradmark",
        version=__version__,
        python=platform.python_version(),
        numpy=np.__version__,
        access="open" if access.is_open else "keys",
    )
    return json_response(encode(version))


async def read_metrics(request: Request) -> Response:
    """Say how many requests, refusals and marks there were, and how much there is to do: Prometheus text."""
    metrics: Metrics = request.app.state.metrics
    return Response(metrics.write(), headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})


ENDPOINTS: Endpoints = {
    "read_live": {"endpoint": read_live},
    "read_ready": {"endpoint": read_ready},
    "read_version": {"endpoint": read_version},
    "read_metrics": {"endpoint": read_metrics, "response_class": PlainTextResponse},
}
