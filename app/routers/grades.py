"""Marking, one submission or many."""

import tempfile
from typing import Annotated, BinaryIO, cast

from fastapi import APIRouter, Body, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse
from starlette.background import BackgroundTask

from app.bulk import MEDIA_TYPE, Bulk
from app.examples import BULK, GRADES
from app.json_route import LINES_TYPES, JsonRoute, RequestBudget, read_budget, require_media_type, stream_body
from app.openapi import BODY_PROBLEMS, LINES_PROBLEMS, Responses
from app.schemas.grade_bodies import GradeBody
from app.schemas.grade_replies import GradeReply
from app.settings import Settings
from core.grading import Grade
from core.marking import MarkingDesk

router = APIRouter(tags=["marking"], route_class=JsonRoute)
bulk_router = APIRouter(tags=["marking"])

IN_MEMORY = 1024 * 1024
"""A bulk request up to this size never sees the disk."""

LINES = {"schema": {"type": "string"}, "examples": BULK}
LINES_REPLIES: Responses = {
    200: {
        "description": "A line for each line, and a summary",
        "content": {MEDIA_TYPE: {"schema": {"type": "string"}}},
    }
}


@bulk_router.post(
    "/v1/grades/bulk",
    response_class=StreamingResponse,
    responses=LINES_REPLIES | LINES_PROBLEMS,
    openapi_extra={"requestBody": {"required": True, "content": {MEDIA_TYPE: LINES}}},
)
async def create_grades(request: Request) -> Response:
    """Mark many submissions: lines of JSON in, lines of JSON out, in order.

    Each line is the body of a grade request. The first may instead be `{"defaults": {…}}`: what the others
    leave out. The reply has a line for each, `{"index", "grade"}` or `{"index", "problem"}`, and the last
    is `{"summary"}`, with counts by verdict and mistake. It starts when the whole request has been read.
    """
    require_media_type(request, LINES_TYPES)
    settings: Settings = request.app.state.settings
    # replying while still reading deadlocks clients that write first and read afterwards
    file = cast("BinaryIO", tempfile.SpooledTemporaryFile(max_size=IN_MEMORY))  # noqa: SIM115 - closed by the reply
    try:
        async for chunk in stream_body(request, settings.max_bulk_bytes):
            await run_in_threadpool(file.write, chunk)
        file.seek(0)
        bulk = await run_in_threadpool(Bulk, file, budget=read_budget(request), longest=settings.max_body_bytes)
    except BaseException:
        file.close()
        raise
    return StreamingResponse(bulk.replies(), media_type=MEDIA_TYPE, background=BackgroundTask(file.close))


@router.post("/v1/grades", response_model=GradeReply, responses=BODY_PROBLEMS)
def create_grade(body: Annotated[GradeBody, Body(openapi_examples=GRADES)], budget: RequestBudget) -> Grade:
    """Mark answers: which quantity is right, why another is wrong, and what follows from it correctly.

    An answer never makes the request fail: a wrong shape, numbers that are not finite and text that cannot
    be read are verdicts.
    """
    return MarkingDesk(budget=budget).mark(body)
