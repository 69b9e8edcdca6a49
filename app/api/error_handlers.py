"""Answers what the framework refuses, paths and methods that there are not, with a problem document."""

from collections.abc import Mapping
from typing import cast

import orjson
from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException

from app.errors import MEDIA_TYPE, ProblemDocument, write_problem
from app.record import Facts, note_facts

DETAILS = {
    404: "there is no such path; /docs shows those there are",
    405: "this path takes another method; needed {Allow}",
}


def add_error_handlers(app: FastAPI) -> None:
    """Make the framework's refusals problem documents; operations do so with theirs, and `Watch` with bugs."""
    app.add_exception_handler(HTTPException, answer_refusal)


async def answer_refusal(request: Request, error: Exception) -> Response:
    """Answer a refusal of the framework."""
    refusal = cast("HTTPException", error)
    headers = dict(refusal.headers or {})
    detail = DETAILS.get(refusal.status_code, refusal.detail).format(**{"Allow": ""} | headers)
    document = write_problem(refusal.status_code, [], detail=detail)
    note_facts(request.scope, Facts(reason=document.reason))
    return problem_response(document, headers=headers)


def problem_response(document: ProblemDocument, *, headers: Mapping[str, str] | None = None) -> Response:
    """Answer with a problem document."""
    return Response(orjson.dumps(document), document.status, headers, MEDIA_TYPE)
